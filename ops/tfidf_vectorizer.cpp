#include "ops/tfidf_vectorizer.h"

#include <algorithm>
#include <map>
#include <string>

#include "ops/checked.h"

namespace fettle::ops {
namespace {

// Look-ups of one evaluation beyond which a node counts as malformed.
constexpr int64_t kMostLookups = int64_t{1} << 36;

struct Options {
  bool counted = true;    // TF, TFIDF: counts; IDF: presence
  bool weighted = false;  // IDF, TFIDF
  std::vector<int64_t> indexes;
  std::vector<float> weights;
  std::vector<int64_t> starts;  // of the 1-grams, 2-grams, ... in the pool
  int64_t shortest = 1;
  int64_t longest = 1;
  int64_t most_skips = 0;
  int64_t width = 0;  // of an output row

  explicit Options(const ir::Node& node);
};

Options::Options(const ir::Node& node)
    : indexes(node.attr_ints("ngram_indexes")),
      weights(node.attr_floats("weights")),
      starts(node.attr_ints("ngram_counts")),
      shortest(node.attr_int("min_gram_length", 1)),
      longest(node.attr_int("max_gram_length", 1)),
      most_skips(node.attr_int("max_skip_count", 0)) {
  const std::string mode = node.attr_string("mode", "");
  counted = mode != "IDF";
  weighted = mode != "TF";
  if (mode != "TF" && mode != "IDF" && mode != "TFIDF") {
    fail(ErrorCode::kBadInput, "attribute 'mode': expected TF, IDF or TFIDF, found '{}'", mode);
  }
  if (indexes.empty() || *std::min_element(indexes.begin(), indexes.end()) < 0) {
    fail(ErrorCode::kBadInput, "attribute 'ngram_indexes': expected indexes >= 0");
  }
  if (!weights.empty() && weights.size() != indexes.size()) {
    fail(ErrorCode::kBadInput, "attribute 'weights': expected {} numbers, found {}", indexes.size(),
         weights.size());
  }
  if (shortest < 1 || longest < shortest || most_skips < 0 ||
      longest > static_cast<int64_t>(starts.size())) {
    fail(ErrorCode::kBadInput,
         "expected 1 <= min_gram_length <= max_gram_length <= {} (entries of ngram_counts) and "
         "max_skip_count >= 0; found {}, {} and {}",
         starts.size(), shortest, longest, most_skips);
  }
  width = checked_add(*std::max_element(indexes.begin(), indexes.end()), 1);
}

// The n-grams of the pool as a prefix tree.
template <typename Item>
class Pool {
 public:
  Pool(const Options& o, const std::vector<Item>& items) {
    const auto total = static_cast<int64_t>(items.size());
    int64_t id = 0;  // of the n-gram: its position in ngram_indexes
    for (size_t i = 0; i < o.starts.size(); ++i) {
      const int64_t begin = o.starts[i];
      const int64_t end = i + 1 < o.starts.size() ? o.starts[i + 1] : total;
      const auto length = static_cast<int64_t>(i) + 1;
      if (begin < 0 || end < begin || end > total || (end - begin) % length != 0) {
        fail(ErrorCode::kBadInput,
             "attribute 'ngram_counts': [{}, {}) are no {}-grams in a pool of {}", begin, end,
             length, total);
      }
      for (int64_t at = begin; at < end; at += length, ++id) {
        if (length >= o.shortest && length <= o.longest) {
          insert(items.data() + at, length, id, static_cast<int64_t>(o.indexes.size()));
        }
      }
    }
  }

  // The node that `item` leads to from `node`; -1 when none. The root is 0.
  int64_t next(int64_t node, const Item& item) const {
    const auto& children = nodes_[static_cast<size_t>(node)].children;
    const auto it = children.find(item);
    return it == children.end() ? -1 : it->second;
  }
  // The n-gram that ends at `node`; -1 when none.
  int64_t id(int64_t node) const { return nodes_[static_cast<size_t>(node)].id; }

 private:
  struct Node {
    std::map<Item, int64_t> children;
    int64_t id = -1;
  };

  void insert(const Item* items, int64_t length, int64_t id, int64_t count) {
    if (id >= count) {
      fail(ErrorCode::kBadInput, "attribute 'ngram_indexes': {} entries, more n-grams", count);
    }
    int64_t node = 0;
    for (int64_t i = 0; i < length; ++i) {
      const auto added = static_cast<int64_t>(nodes_.size());
      const auto [it, fresh] =
          nodes_[static_cast<size_t>(node)].children.try_emplace(items[i], added);
      node = it->second;
      if (fresh) nodes_.emplace_back();
    }
    nodes_[static_cast<size_t>(node)].id = id;
  }

  std::vector<Node> nodes_ = std::vector<Node>(1);
};

void require_bounded(const Options& o, int64_t rows, int64_t length) {
  int64_t work = 0;
  const int64_t distances = std::min(checked_add(o.most_skips, 1), length);
  if (__builtin_mul_overflow(checked_mul(rows, length), distances, &work) ||
      work > kMostLookups / o.longest) {
    fail(ErrorCode::kLimit, "{} rows of {} items with up to {} skips take too many look-ups", rows,
         length, o.most_skips);
  }
}

// Calls found(id) for every n-gram of the pool in `row`, items `distance` apart for each distance.
template <typename Item, typename Found>
void find_grams(const Options& o, const Pool<Item>& pool, const Item* row, int64_t length,
                Found&& found) {
  int64_t shortest = o.shortest;
  for (int64_t distance = 1; distance - 1 <= o.most_skips; ++distance) {
    if (distance >= length && distance > 1) return;  // no room for two items
    for (int64_t start = 0; start < length; ++start) {
      int64_t node = 0;
      int64_t size = 1;
      for (int64_t at = start; at < length && size <= o.longest; at += distance, ++size) {
        node = pool.next(node, row[at]);
        if (node < 0) break;
        if (size >= shortest && pool.id(node) >= 0) found(pool.id(node));
      }
    }
    // Skips do not matter to single items: they count once.
    shortest = std::max<int64_t>(shortest, 2);
    if (shortest > o.longest) return;
  }
}

template <typename Item>
void vectorize(const Options& o, const Pool<Item>& pool, const Item* items, int64_t rows,
               int64_t length, float* out) {
  require_bounded(o, rows, length);
  std::vector<int64_t> counts(o.indexes.size());
  for (int64_t r = 0; r < rows; ++r) {
    std::fill(counts.begin(), counts.end(), 0);
    find_grams(o, pool, items + r * length, length,
               [&](int64_t id) { ++counts[static_cast<size_t>(id)]; });
    float* row = out + r * o.width;
    for (size_t i = 0; i < counts.size(); ++i) {
      if (counts[i] == 0) continue;
      const float weight = o.weighted && !o.weights.empty() ? o.weights[i] : 1.0f;
      float& value = row[o.indexes[i]];
      value = o.counted ? value + weight * static_cast<float>(counts[i]) : weight;
    }
  }
}

void check_input(const ir::Tensor& x, ir::DataType pool) {
  const bool integers = x.type() == ir::DataType::kInt32 || x.type() == ir::DataType::kInt64;
  const bool fits = pool == ir::DataType::kString ? x.type() == pool : integers;
  if (x.rank() > 2 || !fits) {
    fail(ErrorCode::kBadInput, "expected {} [C] or [N, C] as in the pool, found {} {}",
         ir::data_type_name(pool), ir::data_type_name(x.type()), ir::to_string(x.dims()));
  }
}

}  // namespace

void tfidf_vectorizer(KernelContext& context) {
  const ir::Node& node = context.node();
  const ir::Tensor& x = context.input(0);
  const Options options(node);
  const auto strings = node.attr_strings("pool_strings");
  const auto integers = node.attr_ints("pool_int64s");
  if (strings.empty() == integers.empty()) {
    fail(ErrorCode::kBadInput, "expected one of the attributes pool_strings and pool_int64s");
  }
  check_input(x, strings.empty() ? ir::DataType::kInt64 : ir::DataType::kString);
  const bool batched = x.rank() == 2;
  const int64_t rows = batched ? x.dim(0) : 1;
  const int64_t length = x.rank() == 0 ? 1 : x.dims().back();
  ir::Tensor& y = context.output(0, ir::DataType::kFloat,
                                 batched ? ir::Dims{rows, options.width} : ir::Dims{options.width});
  float* out = y.mutable_data<float>().data();
  std::fill_n(out, y.size(), 0.0f);
  if (x.size() == 0) return;
  if (!strings.empty()) {
    const Pool<std::string> pool(options, strings);
    return vectorize(options, pool, x.strings().data(), rows, length, out);
  }
  const Pool<int64_t> pool(options, integers);
  const std::vector<int64_t> items = ir::elements_as_ints(x);
  vectorize(options, pool, items.data(), rows, length, out);
}

void infer_tfidf_vectorizer(InferContext& context) {
  const Options options(context.node());
  const ir::Shape* x = context.shape(0);
  if (x == nullptr) return context.set(0, ir::DataType::kFloat);
  ir::Shape out;
  if (x->size() == 2) out.push_back(x->front());
  out.push_back(ir::Dim::of(options.width));
  context.set(0, ir::DataType::kFloat, std::move(out));
}

}  // namespace fettle::ops
