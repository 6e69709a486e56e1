// One weight operand in the layout that a primitive wants.
#pragma once

#include <memory>

#include "interp/blocked.h"

namespace fettle::interp {

class PackedWeights {
 public:
  // Bytes of `source`, seen under `plain`, in layout `wanted`. A constant source is packed once and
  // kept; its own pages may then leave memory when they are mapped from a file. There is never more
  // than one packed copy.
  const void* get(const ir::Tensor& source, const dnnl::memory::desc& plain,
                  const dnnl::memory::desc& wanted, bool constant);
  // The packed copy when it is held in this layout, else null.
  const void* held(const dnnl::memory::desc& wanted) const {
    return packed_.buffer != nullptr && packed_.desc == wanted ? packed_.buffer->data() : nullptr;
  }
  // Packs `source`, which need not live on, and keeps the copy even in the plain layout.
  const void* keep(const ir::Tensor& source, const dnnl::memory::desc& plain,
                   const dnnl::memory::desc& wanted);
  // The layout held now; null before the first packing and while the plain layout serves.
  const dnnl::memory::desc* layout() const { return packed_.buffer ? &packed_.desc : nullptr; }

 private:
  Blocked packed_;
};

}  // namespace fettle::interp
