#include "ops/linear_attention.h"

#include <algorithm>
#include <cmath>

#include "ops/attention.h"
#include "ops/checked.h"
#include "ops/dims.h"
#include "ops/element_width.h"
#include "ops/real_elements.h"

namespace fettle::ops {
namespace {

constexpr size_t kPastState = 3;
constexpr size_t kDecay = 4;
constexpr size_t kBeta = 5;

struct UpdateRule {
  bool gated = false;  // the state decays
  bool delta = false;  // what the state already says of a key is taken off the value
};

UpdateRule update_rule(const ir::Node& node) {
  const std::string name = node.attr_string("update_rule", "gated_delta");
  if (name == "linear") return {false, false};
  if (name == "gated") return {true, false};
  if (name == "delta") return {false, true};
  if (name == "gated_delta") return {true, true};
  fail(ErrorCode::kBadInput,
       "attribute update_rule must be 'linear', 'gated', 'delta' or 'gated_delta'; found '{}'",
       name);
}

struct HeadCounts {
  int64_t query = 0;
  int64_t key = 0;
};

HeadCounts head_counts(const ir::Node& node) {
  const HeadCounts c{node.attr_int("q_num_heads", 0), node.attr_int("kv_num_heads", 0)};
  if (c.query >= 1 && c.key >= 1 && c.query % c.key == 0) return c;
  fail(ErrorCode::kBadInput,
       "attribute q_num_heads must be a positive multiple of kv_num_heads; found {} and {}",
       c.query, c.key);
}

// A gate [batch, positions, columns] with `columns` a multiple of the heads, or 1 for all heads.
struct Gate {
  const ir::Tensor* tensor = nullptr;
  int64_t columns = 0;
  int64_t per_head = 0;  // columns of one head; 0: the one column is everyone's
};

Gate gate_of(const KernelContext& ctx, size_t operand, bool wanted, const char* what) {
  if (ctx.has(operand) != wanted) {
    fail(ErrorCode::kBadInput, "operand {} must be {} with this update_rule", what,
         wanted ? "given" : "omitted");
  }
  if (!wanted) return {};
  const ir::Tensor& t = ctx.input(operand);
  require_same_type(ctx.input(0), t, what);
  const ir::Dims& q = ctx.input(0).dims();
  if (t.rank() != 3 || t.dim(0) != q[0] || t.dim(1) != q[1]) {
    fail(ErrorCode::kBadInput, "{}: expected shape [{}, {}, columns], found {}", what, q[0], q[1],
         ir::to_string(t.dims()));
  }
  return {&t, t.dim(2), 0};
}

void require_columns(bool fits, const Gate& gate, const char* what) {
  if (fits) return;
  fail(ErrorCode::kBadInput, "{} of shape {} does not fit the heads", what,
       ir::to_string(gate.tensor->dims()));
}

struct Problem {
  UpdateRule rule;
  Heads query, key, value;
  Gate decay, beta;
  double scale = 1;
};

Problem problem_of(const KernelContext& ctx) {
  Problem p;
  p.rule = update_rule(ctx.node());
  const HeadCounts heads = head_counts(ctx.node());
  require_same_type(ctx.input(0), ctx.input(1), "key");
  require_same_type(ctx.input(0), ctx.input(2), "value");
  p.query = packed_heads(ctx.input(0), heads.query, "query");
  p.key = packed_heads(ctx.input(1), heads.key, "key");
  p.value = packed_heads(ctx.input(2), heads.key, "value");
  check_operands({p.query, {{}, p.key}, {{}, p.value}});
  if (p.key.at.positions != p.query.at.positions) {
    fail(ErrorCode::kBadInput, "key and value: expected {} positions as in query, found {}",
         p.query.at.positions, p.key.at.positions);
  }
  const int64_t size = p.key.at.size;
  p.decay = gate_of(ctx, kDecay, p.rule.gated, "decay");
  if (p.rule.gated) {
    p.decay.per_head = p.decay.columns == heads.key ? 1 : size;
    require_columns(
        p.decay.columns / p.decay.per_head == heads.key && p.decay.columns % p.decay.per_head == 0,
        p.decay, "decay");
  }
  p.beta = gate_of(ctx, kBeta, p.rule.delta, "beta");
  if (p.rule.delta) {
    p.beta.per_head = p.beta.columns == heads.key ? 1 : 0;
    require_columns(p.beta.per_head == 1 || p.beta.columns == 1, p.beta, "beta");
  }
  const double scale = ctx.node().attr_float("scale", 0.0f);
  p.scale = scale != 0 ? scale : 1.0 / std::sqrt(static_cast<double>(size));
  return p;
}

// The state [key size, value size] of one head and its vectors of one step.
class Recurrence {
 public:
  Recurrence(const Problem& p)
      : p_(p),
        key_size_(p.key.at.size),
        value_size_(p.value.at.size),
        state_(scratch_doubles(checked_mul(key_size_, value_size_))),
        key_(scratch_doubles(key_size_)),
        value_(scratch_doubles(value_size_)),
        decay_(scratch_doubles(key_size_)),
        out_(scratch_doubles(value_size_)) {}

  std::span<double> state() { return state_.mutable_data<double>(); }

  // Updates the state by position `t` of this sample and head of keys.
  void step(int64_t b, int64_t head, int64_t t) {
    const auto key = key_.mutable_data<double>();
    const auto value = value_.mutable_data<double>();
    p_.key.load(b, head, t, key.data());
    p_.value.load(b, head, t, value.data());
    const int64_t token = b * p_.key.at.positions + t;
    if (p_.rule.gated) decay(token, head);
    if (p_.rule.delta) {
      const auto known = read(key);
      const Gate& beta = p_.beta;
      const double rate =
          ir::element_as_double(*beta.tensor, token * beta.columns + head * beta.per_head);
      for (size_t j = 0; j < value.size(); ++j) value[j] = rate * (value[j] - known[j]);
    }
    double* line = state().data();
    for (const double k : key) {
      for (size_t j = 0; j < value.size(); ++j) line[j] += k * value[j];
      line += value.size();
    }
  }

  // vector [key size] times the state.
  std::span<double> read(std::span<const double> vector) {
    const auto out = out_.mutable_data<double>();
    std::fill(out.begin(), out.end(), 0.0);
    const double* line = state().data();
    for (const double v : vector) {
      for (size_t j = 0; j < out.size(); ++j) out[j] += v * line[j];
      line += out.size();
    }
    return out;
  }

  // The scaled output of a query.
  std::span<double> answer(int64_t b, int64_t query_head, int64_t t) {
    const auto query = key_.mutable_data<double>();
    p_.query.load(b, query_head, t, query.data());
    const auto out = read(query);
    for (double& o : out) o *= p_.scale;
    return out;
  }

 private:
  void decay(int64_t token, int64_t head) {
    const Gate& gate = p_.decay;
    double* logs = decay_.mutable_data<double>().data();
    load_doubles(*gate.tensor, token * gate.columns + head * gate.per_head, gate.per_head, logs);
    double* line = state().data();
    for (int64_t i = 0; i < key_size_; ++i, line += value_size_) {
      const double factor = std::exp(logs[gate.per_head == 1 ? 0 : i]);
      for (int64_t j = 0; j < value_size_; ++j) line[j] *= factor;
    }
  }

  const Problem& p_;
  int64_t key_size_;
  int64_t value_size_;
  ir::Tensor state_, key_, value_, decay_, out_;
};

}  // namespace

void infer_linear_attention(InferContext& ctx) {
  const HeadCounts heads = head_counts(ctx.node());
  update_rule(ctx.node());
  const auto packed = [&](size_t operand) -> ir::Shape {
    const ir::Shape* s = ctx.shape(operand);
    if (s == nullptr) return ir::Shape(3);
    if (s->size() == 3) return *s;
    fail(ErrorCode::kBadInput, "expected operands of rank 3, found {}", to_string(*s));
  };
  const ir::Shape q = packed(0);
  const ir::Dim key_size = dim_floor_div(q[2], ir::Dim::of(heads.query));
  const ir::Dim value_size = dim_floor_div(packed(2)[2], ir::Dim::of(heads.key));
  ctx.set(0, ctx.element(0), ir::Shape{q[0], q[1], dim_mul(value_size, ir::Dim::of(heads.query))});
  ctx.set(1, ctx.has(kPastState) ? ctx.element(kPastState) : ctx.element(0),
          ir::Shape{q[0], ir::Dim::of(heads.key), key_size, value_size});
}

void linear_attention(KernelContext& ctx) {
  const Problem p = problem_of(ctx);
  const HeadLayout& key = p.key.at;
  const int64_t value_size = p.value.at.size;
  const ir::Dims state_dims = {key.batch, key.heads, key.size, value_size};
  const ir::Tensor* past = ctx.optional(kPastState);
  if (past != nullptr && (past->dims() != state_dims || !is_real(past->type()))) {
    fail(ErrorCode::kBadInput, "past_state: expected floating type of shape {}, found {} of {}",
         ir::to_string(state_dims), ir::data_type_name(past->type()), ir::to_string(past->dims()));
  }
  const ir::DataType type = ctx.input(0).type();
  ir::Tensor& y =
      ctx.output(0, type, {key.batch, key.positions, checked_mul(p.query.at.heads, value_size)});
  ir::Tensor present(past != nullptr ? past->type() : type, state_dims);
  const HeadLayout out = packed_heads(y.dims(), p.query.at.heads, "output");
  const int64_t group = p.query.at.heads / key.heads;
  const int64_t state_size = checked_mul(key.size, value_size);
  Recurrence recurrence(p);
  const auto state = recurrence.state();
  for (int64_t b = 0; b < key.batch; ++b) {
    for (int64_t h = 0; h < key.heads; ++h) {
      const int64_t begin = (b * key.heads + h) * state_size;
      std::fill(state.begin(), state.end(), 0.0);
      if (past != nullptr) load_doubles(*past, begin, state_size, state.data());
      for (int64_t t = 0; t < key.positions; ++t) {
        recurrence.step(b, h, t);
        for (int64_t q = h * group; q < (h + 1) * group; ++q) {
          store_doubles(recurrence.answer(b, q, t).data(), value_size, y, out.offset(b, q, t));
        }
      }
      store_doubles(state.data(), state_size, present, begin);
    }
  }
  if (ctx.output_count() > 1 && ctx.wants(1)) ctx.set_output(1, std::move(present));
}

}  // namespace fettle::ops
