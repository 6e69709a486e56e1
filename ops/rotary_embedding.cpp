#include "ops/rotary_embedding.h"

#include "ops/element_width.h"
#include "ops/elementwise.h"
#include "ops/real_elements.h"

namespace fettle::ops {
namespace {

AngleCaches angle_caches(const ir::Tensor& x, const ir::Tensor& cosines, const ir::Tensor& sines,
                         size_t rank) {
  require_same_type(x, cosines, "cos_cache");
  require_same_type(x, sines, "sin_cache");
  if (cosines.rank() != rank || sines.dims() != cosines.dims()) {
    fail(ErrorCode::kBadInput,
         "expected cos_cache and sin_cache of one shape of rank {}, found {} and {}", rank,
         ir::to_string(cosines.dims()), ir::to_string(sines.dims()));
  }
  AngleCaches c{cosines, sines};
  c.pairs = cosines.dims().back();
  c.rows = c.pairs == 0 ? 0 : cosines.size() / c.pairs;
  return c;
}

void require_positions(const ir::Tensor& ids, const char* what) {
  if (ids.type() == ir::DataType::kInt64) return;
  fail(ErrorCode::kBadInput, "{}: expected int64, found {}", what, ir::data_type_name(ids.type()));
}

void rotate_in_double(const Heads& x, const AngleCaches& caches, const AngleRow& row,
                      bool interleaved, ir::Tensor& y) {
  if (x.at.empty()) return;
  const int64_t pairs = caches.pairs;
  const int64_t step = interleaved ? 2 : 1;
  const int64_t partner = interleaved ? 1 : pairs;
  ir::Tensor vector_scratch = scratch_doubles(x.at.size);
  ir::Tensor angle_scratch = scratch_doubles(2 * pairs);
  double* v = vector_scratch.mutable_data<double>().data();
  double* cosine = angle_scratch.mutable_data<double>().data();
  double* sine = cosine + pairs;
  for (int64_t b = 0; b < x.at.batch; ++b) {
    for (int64_t p = 0; p < x.at.positions; ++p) {
      const int64_t at = checked_row(row(b, p), caches) * pairs;
      load_doubles(caches.cosines, at, pairs, cosine);
      load_doubles(caches.sines, at, pairs, sine);
      for (int64_t h = 0; h < x.at.heads; ++h) {
        x.load(b, h, p, v);
        for (int64_t i = 0; i < pairs; ++i) {
          double& real = v[i * step];
          double& imaginary = v[i * step + partner];
          const double turned = cosine[i] * real - sine[i] * imaginary;
          imaginary = sine[i] * real + cosine[i] * imaginary;
          real = turned;
        }
        store_doubles(v, x.at.size, y, x.at.offset(b, h, p));
      }
    }
  }
}

// Throws unless the caches hold the angles of `rotary` elements (0: of all) of vectors of `size`.
void check_extent(const AngleCaches& caches, int64_t rotary, int64_t size) {
  const int64_t turned = rotary == 0 ? size : rotary;
  if (turned > 0 && turned <= size && turned % 2 == 0 && caches.pairs == turned / 2) return;
  fail(ErrorCode::kBadInput,
       "expected caches of half the {} elements to rotate of heads of size {}, found rows of {}",
       turned, size, caches.pairs);
}

void require_rank(const ir::Shape* shape) {
  if (shape == nullptr || shape->size() == 3 || shape->size() == 4) return;
  fail(ErrorCode::kBadInput, "expected an input of rank 3 or 4, found {}", to_string(*shape));
}

// com.microsoft: without num_heads the caches tell the size of the heads.
Heads contrib_heads(const ir::Node& node, const ir::Tensor& x, int64_t rotary, int64_t pairs) {
  if (x.rank() == 4) return stacked_heads(x, "input");
  const int64_t heads = node.attr_int("num_heads", 0);
  if (rotary > 0 && heads < 1) {
    fail(ErrorCode::kBadInput, "attribute num_heads must be given with rotary_embedding_dim");
  }
  if (heads > 0) return packed_heads(x, heads, "input");
  if (x.rank() != 3 || pairs < 1) {
    fail(ErrorCode::kBadInput,
         "expected an input of rank 3 or 4 and caches of at least one angle, "
         "found {} and {}",
         ir::to_string(x.dims()), pairs);
  }
  // Rows of more angles than elements fail in packed_heads().
  return packed_heads(x, pairs > x.dim(2) / 2 ? 0 : x.dim(2) / (2 * pairs), "input");
}

AngleRow contrib_rows(const ir::Tensor& ids, const HeadLayout& at) {
  require_positions(ids, "position_ids");
  const auto positions = ids.data<int64_t>();
  if (ids.dims() == ir::Dims{1}) {
    const int64_t first = positions[0];
    return [first](int64_t, int64_t p) { return first < 0 ? first : first + p; };
  }
  if (ids.dims() != ir::Dims{at.batch, at.positions}) {
    fail(ErrorCode::kBadInput, "position_ids: expected shape [1] or [{}, {}], found {}", at.batch,
         at.positions, ir::to_string(ids.dims()));
  }
  return [positions, count = at.positions](int64_t b, int64_t p) {
    return positions[static_cast<size_t>(b * count + p)];
  };
}

}  // namespace

int64_t checked_row(int64_t row, const AngleCaches& caches) {
  if (row >= 0 && row < caches.rows) return row;
  fail(ErrorCode::kBadInput, "position {} is outside of caches of {} positions", row, caches.rows);
}

void infer_rotary_embedding(InferContext& ctx) {
  require_rank(ctx.shape(0));
  infer_like_input(ctx);
}

void infer_contrib_rotary_embedding(InferContext& ctx) {
  infer_rotary_embedding(ctx);
}

void rotary_embedding(KernelContext& ctx) {
  rotary_embedding(ctx, rotate_in_double);
}

void rotary_embedding(KernelContext& ctx, Rotate rotate) {
  const ir::Tensor& x = ctx.input(0);
  const Heads heads = x.rank() == 3 ? packed_heads(x, ctx.node().attr_int("num_heads", 0), "X")
                                    : stacked_heads(x, "X");
  const HeadLayout& at = heads.at;
  const ir::Tensor* ids = ctx.optional(3);
  const AngleCaches caches = angle_caches(x, ctx.input(1), ctx.input(2), ids != nullptr ? 2 : 3);
  check_extent(caches, ctx.node().attr_int("rotary_embedding_dim", 0), at.size);
  const ir::Dims tokens = {at.batch, at.positions};
  const ir::Dims given =
      ids != nullptr ? ids->dims() : ir::Dims{ctx.input(1).dim(0), ctx.input(1).dim(1)};
  if (given != tokens) {
    fail(ErrorCode::kBadInput, "expected a position for each of {} tokens, found {}",
         ir::to_string(tokens), ir::to_string(given));
  }
  if (ids != nullptr) require_positions(*ids, "position_ids");
  const int64_t* positions = ids != nullptr ? ids->data<int64_t>().data() : nullptr;
  const AngleRow row = [&](int64_t b, int64_t p) {
    const int64_t token = b * at.positions + p;
    return positions != nullptr ? positions[token] : token;
  };
  ir::Tensor& y = ctx.output(0, x.type(), x.dims());
  rotate(heads, caches, row, ctx.node().attr_int("interleaved", 0) != 0, y);
}

void contrib_rotary_embedding(KernelContext& ctx) {
  contrib_rotary_embedding(ctx, rotate_in_double);
}

void contrib_rotary_embedding(KernelContext& ctx, Rotate rotate) {
  const ir::Node& node = ctx.node();
  const ir::Tensor& x = ctx.input(0);
  if (node.attr_int("is_packed_batching", 0) != 0) {
    fail(ErrorCode::kUnsupported, "is_packed_batching is not supported");
  }
  const int64_t rotary = node.attr_int("rotary_embedding_dim", 0);
  const AngleCaches caches = angle_caches(x, ctx.input(2), ctx.input(3), 2);
  const Heads heads = contrib_heads(node, x, rotary, caches.pairs);
  check_extent(caches, rotary, heads.at.size);
  const AngleRow row = contrib_rows(ctx.input(1), heads.at);
  ir::Tensor& y = ctx.output(0, x.type(), x.dims());
  rotate(heads, caches, row, node.attr_int("interleaved", 0) != 0, y);
}

}  // namespace fettle::ops
