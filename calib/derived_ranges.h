// Ranges that follow from others: those of functions that keep the order of numbers, and of movements
// that keep all elements.
#pragma once

#include <string>
#include <vector>

#include "calib/table.h"
#include "interp/float_functions.h"

namespace fettle::calib {

// A value y = f(x) with f rising, or with the elements of x in another order or shape; both are
// float32 values of the main graph.
struct DerivedRange {
  std::string name;    // of y
  std::string source;  // of x
  interp::UnaryFunction function;  // loop null: the elements of x
};

// Those of `names` whose source is in `names` too; they are taken out of `names`. Sources come
// before what is derived from them.
std::vector<DerivedRange> take_derived(const ir::Model& model, std::vector<std::string>& names);

// Range of y when x has this one: of f at its ends. Elements of x that are not finite count as such
// in y as well.
TensorRange range_of(const DerivedRange& derived, const TensorRange& source);

}  // namespace fettle::calib
