// How the writer reads back what it wrote. Private header of ir/.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "ir/io.h"

namespace fettle::ir {

// Reads the model in `path` whose external data lies under other paths (by location). Its tensors
// are views of the files whatever their alignment: for comparing bytes only.
Model read_back(const std::filesystem::path& path,
                const std::map<std::string, std::filesystem::path>& data_files);

}  // namespace fettle::ir
