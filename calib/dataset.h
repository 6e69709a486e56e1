// Calibration and evaluation data, streamed sample by sample.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "interp/executor.h"
#include "ir/model.h"

namespace fettle::calib {

// One array per model input. If its rank equals the input's, axis 0 is samples (the model's batch
// axis); if it is one larger, every entry is one whole input tensor.
class Dataset {
 public:
  virtual ~Dataset() = default;
  // Number of samples; the same for every array. Never zero.
  virtual int64_t size() const = 0;
  // Samples that one run of the model takes: 1, or the model's fixed batch extent. A last, partial
  // batch is left out, which size() already accounts for.
  virtual int64_t batch() const = 0;
  // True when samples lie along the model's batch axis; false when every entry is one whole input.
  virtual bool batched() const = 0;
  // True when all samples have the same shapes.
  virtual bool uniform() const = 0;
  // Inputs for the samples [first, first + batch()). Converts nothing but lossless integer widening
  // and float16/float64 -> the input's floating type. Throws kBadInput naming file, array, sample
  // for NaN or infinity in floating data.
  virtual interp::Feeds read(int64_t first) = 0;
  // What messages call the samples [first, first + batch()). May be called while samples are read.
  virtual std::string sample_name(int64_t first) const;
  // Ground truth, one class index per sample, when the data set has `labels`.
  virtual const std::optional<std::vector<int64_t>>& labels() const = 0;
  // What the user should know about how the data were understood: arrays that no input takes, an
  // array taken under another name than the input's, samples left out.
  virtual std::vector<std::string> notes() const { return {}; }
};

// Opens .h5/.hdf5, .npz, .npy (models with one input), a folder of test_data_set_*, or a folder of
// .npy named after the inputs, and checks it against the model's inputs. The format is told by the
// content. Throws kBadInput with what the model expects (name, type, shape per input) and what the
// data holds. The model need not outlive the data set. docs/data_formats.md describes the formats.
std::unique_ptr<Dataset> open_dataset(const std::filesystem::path& path, const ir::Model& model);

}  // namespace fettle::calib
