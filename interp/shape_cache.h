// A small least-recently-used cache keyed by lists of integers (shapes, layouts).
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace fettle::interp {

template <typename Entry>
class ShapeCache {
 public:
  using Key = std::vector<int64_t>;
  explicit ShapeCache(size_t capacity = 8) : capacity_(capacity) {}

  // The entry for `key`, made by `make` when it is not held; the least recently used one goes when
  // there are too many. Entries may be null (a shape that cannot be handled).
  template <typename Make>
  Entry* get(const Key& key, Make&& make) {
    const auto found = std::find_if(entries_.begin(), entries_.end(),
                                    [&](const auto& held) { return held.first == key; });
    if (found != entries_.end()) {
      std::rotate(entries_.begin(), found, found + 1);
    } else {
      std::unique_ptr<Entry> fresh = make();
      if (entries_.size() == capacity_) entries_.pop_back();
      entries_.emplace(entries_.begin(), key, std::move(fresh));
    }
    return entries_.front().second.get();
  }

 private:
  size_t capacity_;
  std::vector<std::pair<Key, std::unique_ptr<Entry>>> entries_;  // most recent first
};

}  // namespace fettle::interp
