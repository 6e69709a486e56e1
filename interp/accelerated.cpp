#include "interp/accelerated.h"

#include <array>
#include <string_view>

namespace fettle::interp {
namespace {

using Factory = std::unique_ptr<AcceleratedKernel> (*)(const NodeFacts&);

struct Row {
  std::string_view op;  // of the default domain
  Factory make;
};

constexpr std::array<Row, 0> kRows{};

}  // namespace

std::unique_ptr<AcceleratedKernel> make_accelerated(const NodeFacts& facts) {
  if (!facts.node->is_default_domain()) return nullptr;
  for (const Row& row : kRows) {
    if (row.op == facts.node->op_type) return row.make(facts);
  }
  return nullptr;
}

}  // namespace fettle::interp
