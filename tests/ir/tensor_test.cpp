#include "ir/tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <stdexcept>

#include "ir/attribute.h"
#include "ir/error.h"
#include "ir/page_pool.h"
#include "ir/small_blocks.h"
#include "ir/float16.h"
#include "model_bytes.h"

namespace fettle::ir {
namespace {

using fettle::test::expect_error;

// The value of binary16 bits by its definition in IEEE 754.
double half_by_definition(uint16_t bits) {
  const int exponent = (bits >> 10) & 0x1f;
  const int mantissa = bits & 0x3ff;
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  if (exponent == 0x1f) {
    return mantissa != 0 ? std::numeric_limits<double>::quiet_NaN()
                         : sign * std::numeric_limits<double>::infinity();
  }
  if (exponent == 0) return sign * std::ldexp(mantissa, -24);
  return sign * std::ldexp(1024 + mantissa, exponent - 25);
}

TEST(Float16, DecodesEveryPattern) {
  for (int bits = 0; bits < 65536; ++bits) {
    const auto h = static_cast<uint16_t>(bits);
    const double expected = half_by_definition(h);
    const float found = half_bits_to_float(h);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(found)) << bits;
    } else {
      ASSERT_EQ(found, expected) << bits;
      ASSERT_EQ(std::signbit(found), (bits & 0x8000) != 0) << bits;
    }
  }
}

TEST(Float16, EncodesEveryPatternAndTheMidpointsToEven) {
  for (int bits = 0; bits < 0x7c00; ++bits) {  // finite, positive
    const auto h = static_cast<uint16_t>(bits);
    const float value = half_bits_to_float(h);
    ASSERT_EQ(float_to_half_bits(value), h);
    ASSERT_EQ(float_to_half_bits(-value), h | 0x8000);
    // The next pattern up is one step further; 0x7c00 stands for 65536 here.
    const double next = bits + 1 == 0x7c00 ? 65536.0 : half_by_definition(h + 1);
    const auto middle = static_cast<float>((value + next) / 2);
    const uint16_t even = (bits & 1) == 0 ? h : static_cast<uint16_t>(h + 1);
    ASSERT_EQ(float_to_half_bits(middle), even) << bits;
    ASSERT_EQ(float_to_half_bits(std::nextafter(middle, 0.0f)), h) << bits;
    ASSERT_EQ(float_to_half_bits(std::nextafter(middle, 1e9f)), h + 1) << bits;
  }
  EXPECT_EQ(float_to_half_bits(std::numeric_limits<float>::infinity()), 0x7c00);
  EXPECT_EQ(float_to_half_bits(1e30f), 0x7c00);
  EXPECT_EQ(float_to_half_bits(-1e-30f), 0x8000);
  EXPECT_TRUE(std::isnan(half_bits_to_float(float_to_half_bits(NAN))));
}

TEST(Bfloat16, EncodesEveryPatternAndTheMidpointsToEven) {
  for (int bits = 0; bits < 0x7f80; ++bits) {
    const auto b = static_cast<uint16_t>(bits);
    const float value = bfloat16_bits_to_float(b);
    ASSERT_EQ(float_to_bfloat16_bits(value), b);
    const float middle = std::bit_cast<float>((static_cast<uint32_t>(bits) << 16) | 0x8000u);
    ASSERT_EQ(float_to_bfloat16_bits(middle), (bits & 1) == 0 ? b : b + 1);
  }
  EXPECT_TRUE(std::isnan(bfloat16_bits_to_float(float_to_bfloat16_bits(NAN))));
}

TEST(DataTypes, WidthsAndNamesAgreeWithTheSpecification) {
  EXPECT_EQ(data_type_bytes(DataType::kInt4, 3), 2u);
  EXPECT_EQ(data_type_bytes(DataType::kUint2, 5), 2u);
  EXPECT_EQ(data_type_bytes(DataType::kComplex128, 2), 32u);
  EXPECT_EQ(data_type_bytes(DataType::kFloat8E8M0, 7), 7u);
  for (int number = 1; number <= 26; ++number) {
    const auto type = data_type_from_onnx(number);
    ASSERT_TRUE(type.has_value());
    EXPECT_EQ(data_type_from_name(data_type_name(*type)), type);
  }
  EXPECT_FALSE(data_type_from_onnx(0).has_value());
  EXPECT_FALSE(data_type_from_onnx(27).has_value());
  EXPECT_FALSE(data_type_from_onnx(-1).has_value());
  expect_error(
      "exceed", [] { data_type_bytes(DataType::kDouble, INT64_MAX / 8); }, ErrorCode::kLimit);
}

TEST(Tensors, CountsElementsWithoutOverflow) {
  EXPECT_EQ(element_count({}), 1);
  EXPECT_EQ(element_count({2, 0, INT64_MAX, INT64_MAX}), 0);
  expect_error("negative", [] { element_count({2, -1}); });
  expect_error(
      "counted",
      [] {
        element_count({INT64_MAX, 2});
      },
      ErrorCode::kLimit);
}

TEST(Tensors, CopyOnWriteKeepsTheOtherCopy) {
  const Tensor original = Tensor::of<float>({3}, {1, 2, 3});
  Tensor copy = original;
  EXPECT_EQ(copy.bytes(), original.bytes());
  copy.mutable_data<float>()[1] = 9;
  EXPECT_EQ(original.data<float>()[1], 2);
  EXPECT_EQ(copy.data<float>()[1], 9);
}

TEST(Tensors, ViewsShareBytesAndCheckTypes) {
  const Tensor t = Tensor::of<int32_t>({4, 2}, {0, 1, 2, 3, 4, 5, 6, 7});
  const Tensor rows = t.slice_front(1, 2);
  EXPECT_EQ(rows.dims(), (Dims{2, 2}));
  EXPECT_EQ(rows.data<int32_t>()[0], 2);
  EXPECT_EQ(rows.buffer(), t.buffer());
  EXPECT_EQ(t.reshaped({8}).bytes(), t.bytes());
  expect_error("cannot view", [&] { t.reshaped({7}); });
  expect_error("expected a tensor of float", [&] { t.data<float>(); });
  EXPECT_THROW(Tensor::of<float>({2}, {1}), std::invalid_argument);
}

TEST(Tensors, ElementsOfPackedAndSmallTypes) {
  auto packed = Buffer::allocate(2);
  packed->mutable_data()[0] = std::byte{0x8f};  // int4: -1, -8; int2: -1, -1, 0, -2
  packed->mutable_data()[1] = std::byte{0x07};
  const Tensor nibbles(DataType::kInt4, {3}, packed);
  EXPECT_EQ(elements_as_ints(nibbles), (std::vector<int64_t>{-1, -8, 7}));
  EXPECT_EQ(elements_as_ints(Tensor(DataType::kUint4, {3}, packed)),
            (std::vector<int64_t>{15, 8, 7}));
  EXPECT_EQ(elements_as_ints(Tensor(DataType::kInt2, {5}, packed)),
            (std::vector<int64_t>{-1, -1, 0, -2, -1}));
  EXPECT_EQ(element_as_double(Tensor(DataType::kFloat4E2M1, {3}, packed), 2), 6.0);
  EXPECT_EQ(element_as_double(Tensor(DataType::kFloat4E2M1, {3}, packed), 0), -6.0);
  EXPECT_EQ(element_as_double(Tensor(DataType::kFloat8E8M0, {2}, packed), 0), 65536.0);
  expect_error(
      "expected real", [] { element_as_double(Tensor(DataType::kComplex64, {1}), 0); },
      ErrorCode::kUnsupported);
}

TEST(Tensors, MemoryLimitIsCheckedBeforeAllocation) {
  const size_t limit = memory_limit();
  set_memory_limit(memory_in_use() + 1000);
  EXPECT_NO_THROW(Tensor(DataType::kFloat, {100}));
  expect_error(
      "memory limit", [] { Tensor(DataType::kFloat, {1000}); }, ErrorCode::kLimit);
  expect_error(
      "memory limit", [] { Tensor(DataType::kString, {int64_t{1} << 40}); }, ErrorCode::kLimit);
  set_memory_limit(limit);
}

TEST(Buffers, CountFromTheirFirstByteToTheirLast) {
  const size_t before = memory_in_use();
  for (const size_t size : {size_t{0}, size_t{1}, size_t{1000}, size_t{300'000}, size_t{5'000'000}}) {
    for (const auto make : {&Buffer::allocate, &Buffer::allocate_pages}) {
      const auto buffer = make(size);
      EXPECT_TRUE(buffer->writable());
      EXPECT_EQ(buffer->size(), size);
      EXPECT_EQ(memory_in_use(), before + size);
      std::memset(buffer->mutable_data(), 1, size);
    }
  }
  EXPECT_EQ(memory_in_use(), before);
}

TEST(Buffers, FreedBlocksServeLaterRequests) {
  trim_pages();
  const PageBlock first = acquire_pages(1'000'000);
  const PageBlock second = acquire_pages(1'000'000);
  const PageBlock last = acquire_pages(1'000'000);
  std::memset(first.address, 1, first.size);
  std::memset(second.address, 2, second.size);
  recycle_pages(first);
  const PageBlock part = acquire_pages(300'000);
  EXPECT_EQ(part.address, first.address);
  recycle_pages(part);
  recycle_pages(second);
  // Neighbors that are free serve together.
  const PageBlock both = acquire_pages(1'900'000);
  EXPECT_EQ(both.address, first.address);
  std::memset(both.address, 3, both.size);
  EXPECT_EQ(kept_pages(), first.size + second.size - both.size);
  recycle_pages(last);
  recycle_pages(both);
  EXPECT_EQ(kept_pages(), 3 * first.size);
  trim_pages();
  EXPECT_EQ(kept_pages(), 0u);
}

TEST(Buffers, SmallBlocksServeLaterRequestsOfAboutTheirSize) {
  for (size_t size = 0; size < kPooledBytes; size = size * 5 / 4 + 1) {
    void* block = acquire_small(size);
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 64, 0u);
    std::memset(block, 1, size);
    recycle_small(block, size);
    EXPECT_EQ(acquire_small(size), block);
    recycle_small(block, size);
  }
}

TEST(Buffers, BlocksNeverOverlap) {
  trim_pages();
  std::mt19937 random(3);
  std::vector<PageBlock> blocks;
  std::vector<unsigned char> marks;
  for (int i = 0; i < 2000; ++i) {
    if (!blocks.empty() && random() % 2 == 0) {
      const size_t at = random() % blocks.size();
      const auto* bytes = static_cast<const unsigned char*>(blocks[at].address);
      EXPECT_EQ(bytes[0], marks[at]);
      EXPECT_EQ(bytes[blocks[at].size - 1], marks[at]);
      recycle_pages(blocks[at]);
      blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(at));
      marks.erase(marks.begin() + static_cast<std::ptrdiff_t>(at));
    } else {
      const PageBlock block = acquire_pages(1 + random() % 3'000'000);
      auto* bytes = static_cast<unsigned char*>(block.address);
      marks.push_back(static_cast<unsigned char>(random()));
      bytes[0] = bytes[block.size - 1] = marks.back();
      blocks.push_back(block);
    }
  }
  for (const PageBlock& block : blocks) recycle_pages(block);
  trim_pages();
}

TEST(Buffers, KeptBlocksAreBounded) {
  trim_pages();
  constexpr size_t kSize = 4'096'000;
  std::vector<PageBlock> blocks;
  for (int i = 0; i < 4; ++i) blocks.push_back(acquire_pages(kSize));
  for (const PageBlock& block : blocks) recycle_pages(block);
  EXPECT_EQ(kept_pages(), 4 * kSize);
  // Requests of another size push the kept blocks out: all together may grow by half.
  blocks.clear();
  for (int i = 0; i < 16; ++i) blocks.push_back(acquire_pages(kSize / 4));
  EXPECT_LE(kept_pages() + 16 * (kSize / 4), 4 * kSize + 2 * kSize);
  const size_t limit = memory_limit();
  set_memory_limit(5 * kSize);
  for (const PageBlock& block : blocks) recycle_pages(block);
  EXPECT_LE(kept_pages(), 5 * kSize);
  set_memory_limit(limit);
  trim_pages();
  EXPECT_EQ(kept_pages(), 0u);
}

SparseTensor sparse_of(Dims dims, std::vector<float> values, Dims index_dims,
                       std::vector<int64_t> indices) {
  SparseTensor sparse;
  sparse.dims = std::move(dims);
  const auto count = static_cast<int64_t>(values.size());
  sparse.values.tensor = Tensor::of<float>({count}, values);
  sparse.indices.tensor = Tensor::of<int64_t>(std::move(index_dims), indices);
  return sparse;
}

TEST(Sparse, DensifiesBothFormsOfIndices) {
  const Tensor linear = densify(sparse_of({2, 3}, {5, 7}, {2}, {1, 5}));
  const Tensor by_axis = densify(sparse_of({2, 3}, {5, 7}, {2, 2}, {0, 1, 1, 2}));
  EXPECT_TRUE(identical(linear, Tensor::of<float>({2, 3}, {0, 5, 0, 0, 0, 7})));
  EXPECT_TRUE(identical(by_axis, linear));
}

TEST(Sparse, DensifiesPackedValues) {
  SparseTensor sparse = sparse_of({5}, {1, 1}, {2}, {1, 4});
  auto codes = Buffer::allocate(1);
  codes->mutable_data()[0] = std::byte{0x3e};
  sparse.values.tensor = Tensor(DataType::kUint4, {2}, codes);
  EXPECT_EQ(elements_as_ints(densify(sparse)), (std::vector<int64_t>{0, 14, 0, 0, 3}));
}

TEST(Sparse, RefusesBadIndices) {
  expect_error("outside 6", [] { densify(sparse_of({2, 3}, {5}, {1}, {6})); });
  expect_error("outside 6", [] { densify(sparse_of({2, 3}, {5}, {1}, {-1})); });
  expect_error("outside axis 1", [] { densify(sparse_of({2, 3}, {5}, {1, 2}, {0, 3})); });
  expect_error("ascending", [] { densify(sparse_of({2, 3}, {5, 6}, {2}, {4, 4})); });
  expect_error("of shape [2] or [2, 2]", [] {
    densify(sparse_of({2, 3}, {5, 6}, {3}, {0, 1, 2}));
  });
  expect_error(
      "memory limit", [] { densify(sparse_of({int64_t{1} << 50}, {5}, {1}, {0})); },
      ErrorCode::kLimit);
}

}  // namespace
}  // namespace fettle::ir
