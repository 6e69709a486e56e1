#include "interp/accelerated.h"

#include <array>
#include <string_view>

#include "interp/convolution.h"
#include "interp/matrix_product.h"
#include "interp/pooling.h"

namespace fettle::interp {
namespace {

using Factory = std::unique_ptr<AcceleratedKernel> (*)(const NodeFacts&);

struct Row {
  std::string_view op;  // of the default domain
  Factory make;
};

constexpr std::array kRows{
    Row{"AveragePool", accelerate_average_pool},
    Row{"Conv", accelerate_conv},
    Row{"ConvTranspose", accelerate_conv_transpose},
    Row{"Gemm", accelerate_gemm},
    Row{"GlobalAveragePool", accelerate_global_average_pool},
    Row{"MatMul", accelerate_matmul},
    Row{"MaxPool", accelerate_max_pool},
};

}  // namespace

std::unique_ptr<AcceleratedKernel> make_accelerated(const NodeFacts& facts) {
  if (!facts.node->is_default_domain()) return nullptr;
  for (const Row& row : kRows) {
    if (row.op == facts.node->op_type) return row.make(facts);
  }
  return nullptr;
}

}  // namespace fettle::interp
