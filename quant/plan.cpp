#include "quant/plan.h"

#include <algorithm>

#include "ir/error.h"
#include "ops/infer.h"
#include "quant/gemm_form.h"
#include "quant/modes.h"
#include "quant/prepare.h"

namespace fettle::quant {

namespace {

struct ModeRow {
  Mode mode;
  std::string_view name;
  int64_t min_opset;      // 0: the model's own
  bool products_as_gemm;  // quant/gemm_form.h
  void (*apply)(ir::Model&, const Plan&);
};

constexpr ModeRow kModes[] = {
    {Mode::kStatic, "static", 13, true, apply_static},
    {Mode::kDynamic, "dynamic", 13, false, apply_dynamic},
    {Mode::kWeightOnly, "weight-only", 13, false, apply_weight_only},
    {Mode::kFp16, "fp16", 0, false, apply_fp16},
};

const ModeRow& row_of(Mode mode) {
  const auto it = std::find_if(std::begin(kModes), std::end(kModes),
                               [&](const ModeRow& row) { return row.mode == mode; });
  FETTLE_ASSERT(it != std::end(kModes));
  return *it;
}

void prepare_for(ir::Model& model, Mode mode) {
  const ModeRow& row = row_of(mode);
  prepare(model, row.min_opset);
  if (!row.products_as_gemm) return;
  ops::infer_shapes(model);
  write_products_as_gemm(*model.graph);
}

}  // namespace

std::optional<Mode> mode_from_name(std::string_view name) {
  for (const ModeRow& row : kModes) {
    if (row.name == name) return row.mode;
  }
  return std::nullopt;
}

std::string_view mode_name(Mode mode) {
  return row_of(mode).name;
}

Plan make_plan(const ir::Model& model, const calib::CalibrationTable* table,
               const PlanOptions& options) {
  if (options.mode == Mode::kStatic && table == nullptr) {
    fail(ErrorCode::kUsage,
         "static quantization needs activation ranges; calibrate with --data, or "
         "choose --mode dynamic");
  }
  ir::Model prepared = ir::clone(model);
  prepare_for(prepared, options.mode);
  switch (options.mode) {
    case Mode::kStatic:
      return plan_static(prepared, *table, options);
    case Mode::kDynamic:
      return plan_dynamic(prepared, options);
    case Mode::kWeightOnly:
      return plan_weight_only(prepared, options);
    case Mode::kFp16:
      return plan_fp16(prepared, table, options);
  }
  FETTLE_ASSERT(false);
  return {};
}

void apply_plan(ir::Model& model, const Plan& plan) {
  prepare_for(model, plan.mode);
  NodeNames names(*model.graph);
  row_of(plan.mode).apply(model, plan);
  model.graph->purge();
  names.make_new_ones_unique();
}

}  // namespace fettle::quant
