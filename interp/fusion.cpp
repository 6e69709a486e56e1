#include "interp/fusion.h"

#include <array>
#include <string_view>

namespace fettle::interp {
namespace {

struct Row {
  std::string_view op;  // of the default domain
  std::optional<Fusion> (*find)(const ir::Node&, const FusionView&);
};

// Several rows of one operator are tried in order.
constexpr std::array kRecognisers{
    Row{"Conv", fuse_convolution},
};

}  // namespace

std::optional<Fusion> find_fusion(const ir::Node& anchor, const FusionView& view) {
  if (!anchor.is_default_domain()) return std::nullopt;
  for (const Row& row : kRecognisers) {
    if (row.op != anchor.op_type) continue;
    if (std::optional<Fusion> fusion = row.find(anchor, view)) return fusion;
  }
  return std::nullopt;
}

}  // namespace fettle::interp
