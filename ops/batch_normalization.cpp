#include "ops/batch_normalization.h"

#include <cmath>

#include "ops/checked.h"
#include "ops/elementwise.h"
#include "ops/reduction.h"
#include "ops/scratch.h"

namespace fettle::ops {
namespace {

// X as [instances, channels, spatial]; X of rank 1 has one channel.
struct ChannelView {
  int64_t instances = 1;
  int64_t channels = 1;
  int64_t spatial = 1;
};

ChannelView channels_of(const ir::Dims& dims) {
  if (dims.empty()) fail(ErrorCode::kBadInput, "expected X of rank 1 or more; found a scalar");
  if (dims.size() == 1) return {dims[0], 1, 1};
  return {dims[0], dims[1], ir::element_count(ir::Dims(dims.begin() + 2, dims.end()))};
}

// y = x * slope[c] + offset[c] would cancel; this keeps (x - mean[c]) * factor[c] + bias[c].
struct Affine {
  std::vector<double> mean;
  std::vector<double> factor;
  std::vector<double> bias;
};

Affine affine_from(std::vector<double> mean, const std::vector<double>& variance,
                   const std::vector<double>& scale, std::vector<double> bias, double epsilon) {
  Affine a{std::move(mean), scale, std::move(bias)};
  for (size_t i = 0; i < scale.size(); ++i) a.factor[i] /= std::sqrt(variance[i] + epsilon);
  return a;
}

void apply(KernelContext& ctx, const ChannelView& view, const Affine& a) {
  const ir::Tensor& x = ctx.input(0);
  dispatch(FloatTypes{}, x.type(), [&]<typename T>(Tag<T>) {
    const T* in = x.data<T>().data();
    T* out = ctx.output(0, x.type(), x.dims()).template mutable_data<T>().data();
    if (x.size() == 0) return;
    for (int64_t n = 0; n < view.instances; ++n) {
      for (int64_t c = 0; c < view.channels; ++c) {
        const auto at = static_cast<size_t>(c);
        const double mean = a.mean[at];
        const double factor = a.factor[at];
        const double bias = a.bias[at];
        for (int64_t i = 0; i < view.spatial; ++i) {
          out[i] = narrow<T>((static_cast<double>(in[i]) - mean) * factor + bias);
        }
        in += view.spatial;
        out += view.spatial;
      }
    }
  });
}

void normalize_with_given_statistics(KernelContext& ctx, const ChannelView& view,
                                     const ir::Dims& dims) {
  const Affine a =
      affine_from(parameters(ctx.input(3), dims, "mean"), parameters(ctx.input(4), dims, "var"),
                  parameters(ctx.input(1), dims, "scale"), parameters(ctx.input(2), dims, "B"),
                  epsilon_of(ctx.node()));
  apply(ctx, view, a);
}

void refuse_training_outputs(const KernelContext& ctx) {
  for (size_t i = 1; i < ctx.output_count(); ++i) {
    if (ctx.wants(i)) {
      fail(ErrorCode::kUnsupported,
           "BatchNormalization in training mode (output {}) is supported since opset 14 only; "
           "export the model in inference mode",
           i);
    }
  }
}

ir::Tensor running(const ir::Tensor& before, const std::vector<double>& current, double momentum) {
  ir::Tensor after(before.type(), before.dims());
  dispatch(FloatTypes{}, before.type(), [&]<typename T>(Tag<T>) {
    const auto old = before.data<T>();
    auto out = after.mutable_data<T>();
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] = narrow<T>(static_cast<double>(old[i]) * momentum + current[i] * (1 - momentum));
    }
  });
  return after;
}

void train(KernelContext& ctx, const ChannelView& view) {
  const ir::Dims dims{view.channels};
  const ir::Tensor x = ctx.input(0).reshaped({view.instances, view.channels, view.spatial});
  const Moments now = moments_of(x, make_reduction(x.dims(), {0, 2}, true));
  parameters(ctx.input(3), dims, "input_mean");
  parameters(ctx.input(4), dims, "input_var");
  apply(ctx, view,
        affine_from(now.mean, now.variance, parameters(ctx.input(1), dims, "scale"),
                    parameters(ctx.input(2), dims, "B"), epsilon_of(ctx.node())));
  const double momentum = ctx.node().attr_float("momentum", 0.9f);
  if (ctx.output_count() > 1) ctx.set_output(1, running(ctx.input(3), now.mean, momentum));
  if (ctx.output_count() > 2) ctx.set_output(2, running(ctx.input(4), now.variance, momentum));
}

// Statistics per instance and group of channels; scale and bias per `per_group` group or channel.
void normalize_groups(KernelContext& ctx, int64_t groups, bool per_group) {
  const ir::Tensor& x = ctx.input(0);
  if (x.rank() < 2) {
    fail(ErrorCode::kBadInput, "expected X of rank 2 or more; found {}", ir::to_string(x.dims()));
  }
  const ChannelView view = channels_of(x.dims());
  if (groups <= 0 || view.channels % groups != 0) {
    fail(ErrorCode::kBadInput, "{} channels cannot be divided into {} groups", view.channels,
         groups);
  }
  const int64_t in_group = view.channels / groups;
  const ir::Dims dims{per_group ? groups : view.channels};
  const std::vector<double> scale = parameters(ctx.input(1), dims, "scale");
  const std::vector<double> bias = parameters(ctx.input(2), dims, "bias");
  const ir::Tensor flat =
      x.reshaped({checked_mul(view.instances, groups), checked_mul(in_group, view.spatial)});
  const Moments moments = moments_of(flat, make_reduction(flat.dims(), {1}, true));
  const double epsilon = epsilon_of(ctx.node());
  // Every (instance, channel) becomes a channel of its own.
  const int64_t rows = checked_mul(view.instances, view.channels);
  Affine a{scratch<double>(rows), scratch<double>(rows), scratch<double>(rows)};
  for (size_t row = 0; row < a.mean.size(); ++row) {
    const size_t group = row / static_cast<size_t>(in_group);
    const size_t channel = row % static_cast<size_t>(view.channels);
    const size_t parameter = per_group ? channel / static_cast<size_t>(in_group) : channel;
    a.mean[row] = moments.mean[group];
    a.factor[row] = scale[parameter] / std::sqrt(moments.variance[group] + epsilon);
    a.bias[row] = bias[parameter];
  }
  apply(ctx, {1, rows, view.spatial}, a);
}

int64_t group_count(const KernelContext& ctx) {
  return ctx.node().attr_int("num_groups", 0);
}

void check_extent(const InferContext& ctx, size_t operand, const ir::Dim& channels) {
  const ir::Shape* shape = ctx.shape(operand);
  if (shape == nullptr) return;
  const bool differs = shape->size() == 1 && channels.known() && shape->front().known() &&
                       shape->front().value != channels.value;
  if (shape->size() == 1 && !differs) return;
  fail(ErrorCode::kBadInput, "input {} must hold one number per channel ({}); found shape {}",
       operand, channels.value, ir::to_string(*shape));
}

}  // namespace

std::vector<double> parameters(const ir::Tensor& tensor, const ir::Dims& dims,
                               std::string_view what) {
  if (tensor.dims() != dims) {
    fail(ErrorCode::kBadInput, "{} must have shape {}; found {}", what, ir::to_string(dims),
         ir::to_string(tensor.dims()));
  }
  std::vector<double> out = scratch<double>(tensor.size());
  dispatch(FloatTypes{}, tensor.type(), [&]<typename T>(Tag<T>) {
    const auto in = tensor.data<T>();
    for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<double>(in[i]);
  });
  return out;
}

double epsilon_of(const ir::Node& node) {
  const float epsilon = node.attr_float("epsilon", 1e-5f);
  if (!(epsilon >= 0)) {
    fail(ErrorCode::kBadInput, "attribute epsilon must not be negative; found {}", epsilon);
  }
  return epsilon;
}

void infer_channel_normalization(InferContext& ctx) {
  infer_like_input(ctx);
  if (ctx.shape(0) == nullptr || ctx.shape(0)->size() < 2) return;
  for (size_t i = 1; i < ctx.input_count(); ++i) check_extent(ctx, i, (*ctx.shape(0))[1]);
}

void infer_batch_normalization(InferContext& ctx) {
  if (ctx.node().attr_int("spatial", 1) != 0) {
    infer_channel_normalization(ctx);
  } else {
    infer_like_input(ctx);
  }
  // Outputs mean, var and their saved copies pair with operands 3 and 4.
  for (size_t i = 1; i < ctx.output_count(); ++i) ctx.set_same(i, i % 2 == 1 ? 3 : 4);
}

void batch_normalization_1(KernelContext& ctx) {
  if (ctx.node().attr_int("spatial", 1) != 0) return batch_normalization_9(ctx);
  refuse_training_outputs(ctx);
  const ir::Dims& dims = ctx.input(0).dims();
  if (dims.size() < 2) {
    fail(ErrorCode::kBadInput, "expected X of rank 2 or more; found {}", ir::to_string(dims));
  }
  const ir::Dims sample(dims.begin() + 1, dims.end());
  normalize_with_given_statistics(ctx, {dims[0], ir::element_count(sample), 1}, sample);
}

void batch_normalization_9(KernelContext& ctx) {
  refuse_training_outputs(ctx);
  const ChannelView view = channels_of(ctx.input(0).dims());
  normalize_with_given_statistics(ctx, view, {view.channels});
}

void batch_normalization_14(KernelContext& ctx) {
  const ChannelView view = channels_of(ctx.input(0).dims());
  if (ctx.node().attr_int("training_mode", 0) != 0) return train(ctx, view);
  if (ctx.wants(1) || ctx.wants(2)) {
    fail(ErrorCode::kBadInput,
         "outputs 1 and 2 need training_mode=1; found training_mode=0; remove them");
  }
  normalize_with_given_statistics(ctx, view, {view.channels});
}

void instance_normalization(KernelContext& ctx) {
  const ir::Dims& dims = ctx.input(0).dims();
  normalize_groups(ctx, dims.size() < 2 ? 1 : dims[1], false);
}

void group_normalization_18(KernelContext& ctx) {
  normalize_groups(ctx, group_count(ctx), true);
}
void group_normalization_21(KernelContext& ctx) {
  normalize_groups(ctx, group_count(ctx), false);
}

}  // namespace fettle::ops
