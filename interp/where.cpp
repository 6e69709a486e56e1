#include "interp/where.h"

#include <algorithm>

#include "interp/box_copy.h"
#include "interp/movement_kernel.h"
#include "interp/simd.h"
#include "ops/broadcast.h"

namespace fettle::interp {
namespace {

struct Rows {
  const uint8_t* choose;
  const std::byte* a;
  const std::byte* b;
  std::byte* to;
  int64_t count;
  bool choose_moves, a_moves, b_moves;  // along the row; else one element for all
};

template <typename T>
[[gnu::always_inline]] inline void select(const Rows& rows) {
  const auto* a = reinterpret_cast<const T*>(rows.a);
  const auto* b = reinterpret_cast<const T*>(rows.b);
  auto* to = reinterpret_cast<T*>(rows.to);
  const uint8_t* choose = rows.choose;
  const int64_t n = rows.count;
  if (!rows.choose_moves) {
    const T* one = *choose != 0 ? a : b;
    const bool moves = *choose != 0 ? rows.a_moves : rows.b_moves;
    if (moves) {
      std::copy_n(one, n, to);
    } else {
      std::fill_n(to, n, *one);
    }
  } else if (rows.a_moves && rows.b_moves) {
    for (int64_t i = 0; i < n; ++i) to[i] = choose[i] != 0 ? a[i] : b[i];
  } else if (rows.a_moves) {
    const T other = *b;
    for (int64_t i = 0; i < n; ++i) to[i] = choose[i] != 0 ? a[i] : other;
  } else if (rows.b_moves) {
    const T one = *a;
    for (int64_t i = 0; i < n; ++i) to[i] = choose[i] != 0 ? one : b[i];
  } else {
    const T one = *a;
    const T other = *b;
    for (int64_t i = 0; i < n; ++i) to[i] = choose[i] != 0 ? one : other;
  }
}

FETTLE_VECTORIZED void select_1(const Rows& rows) {
  select<uint8_t>(rows);
}
FETTLE_VECTORIZED void select_2(const Rows& rows) {
  select<uint16_t>(rows);
}
FETTLE_VECTORIZED void select_4(const Rows& rows) {
  select<uint32_t>(rows);
}
FETTLE_VECTORIZED void select_8(const Rows& rows) {
  select<uint64_t>(rows);
}

using Select = void (*)(const Rows&);

Select select_of(size_t width) {
  switch (width) {
    case 1:
      return select_1;
    case 2:
      return select_2;
    case 4:
      return select_4;
    default:
      return select_8;
  }
}

class Where : public MovementKernel {
 public:
  Where() : MovementKernel(3) {}

 protected:
  bool prepare(Call& call) override {
    if (call.input_count() != 3) return false;
    width_ = element_width(call.type(1));
    if (width_ == 0 || call.type(2) != call.type(1) || call.type(0) != ir::DataType::kBool) {
      return false;
    }
    const auto pair = broadcast_of(*call.dims(0), *call.dims(1));
    auto all = pair ? broadcast_of(*pair, *call.dims(2)) : std::nullopt;
    if (!all) return false;
    dims_ = std::move(*all);
    loop_.emplace(dims_, std::array{call.dims(0), call.dims(1), call.dims(2)});
    return true;
  }

  bool execute(Call& call) override {
    const ir::Tensor& condition = *call.tensor(0);
    const ir::Tensor& a = *call.tensor(1);
    const ir::Tensor& b = *call.tensor(2);
    ir::Tensor out(a.type(), dims_);
    std::byte* to = out.mutable_bytes();
    const auto* choose = reinterpret_cast<const uint8_t*>(condition.bytes());
    const auto width = static_cast<int64_t>(width_);
    const Select select = select_of(width_);
    loop_->for_each_run([&](int64_t at, int64_t count, const auto& offsets, const auto& steps) {
      select({choose + offsets[0], a.bytes() + offsets[1] * width, b.bytes() + offsets[2] * width,
              to + at * width, count, steps[0] != 0, steps[1] != 0, steps[2] != 0});
    });
    call.set(0, std::move(out));
    return true;
  }

 private:
  size_t width_ = 0;
  ir::Dims dims_;
  std::optional<ops::BroadcastLoop<3>> loop_;
};

}  // namespace

std::unique_ptr<AcceleratedKernel> accelerate_where(const NodeFacts&) {
  return std::make_unique<Where>();
}

}  // namespace fettle::interp
