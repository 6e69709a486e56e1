// usage: fettle_dataset MODEL DATA OUT.npz
// Stores what the model would be fed for every sample, one array per input. Labels go to stdout,
// one per line. An error goes to stderr, with exit code 2.
#include <fmt/format.h>

#include <iostream>

#include "calib/dataset.h"
#include "calib/write_arrays.h"
#include "ir/error.h"
#include "ir/io.h"

namespace {

void store(const char* model_path, const char* data_path, const char* out) {
  const auto model = fettle::ir::read_model(model_path);
  const auto data = fettle::calib::open_dataset(data_path, model);
  fettle::calib::ArraySource source;
  for (const auto& [name, value] : data->read(0)) source.names.push_back(name);
  source.runs = static_cast<size_t>(data->size() / data->batch());
  source.batch = data->batch();
  source.read = [&](size_t run) {
    std::vector<fettle::ir::Tensor> tensors;
    for (const auto& [name, value] : data->read(static_cast<int64_t>(run) * data->batch())) {
      tensors.push_back(value.tensor);
    }
    return tensors;
  };
  fettle::calib::write_arrays(out, source);
  if (!data->labels()) return;
  for (const int64_t label : *data->labels()) std::cout << label << "\n";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: fettle_dataset MODEL DATA OUT.npz\n";
    return 2;
  }
  try {
    store(argv[1], argv[2], argv[3]);
  } catch (const fettle::Error& error) {
    std::cerr << error.what() << "\n";
    return 2;
  }
  return 0;
}
