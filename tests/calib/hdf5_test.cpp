#include <gtest/gtest.h>

#include <cmath>

#include "calib/data_files.h"
#include "calib/dataset.h"
#include "ir/buffer.h"
#include "support/text_model.h"

namespace fettle::calib {
namespace {

using test::counting;
using test::error_of;
using test::put_dataset;
using test::write_hdf5;

class Hdf5Test : public testing::Test {
 protected:
  std::unique_ptr<Dataset> open(const std::function<void(hid_t)>& fill) {
    write_hdf5(path_, fill);
    return open_dataset(path_, model_);
  }
  std::string error(const std::function<void(hid_t)>& fill) {
    return error_of([&] { open(fill); });
  }
  test::TempFolder folder_;
  std::filesystem::path path_ = folder_ / "data.h5";
  ir::Model model_ = test::parse_text_graph(
      "g (float[N, 2, 3] image) => (float[N, 2, 3] y) { y = Identity(image) }");
};

TEST_F(Hdf5Test, ReadsContiguousAndChunkedDatasets) {
  for (const std::vector<hsize_t>& chunk :
       std::vector<std::vector<hsize_t>>{{}, {2, 2, 3}, {3, 1, 2}}) {
    const auto data = open([&](hid_t file) {
      hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
      if (!chunk.empty()) {
        H5Pset_chunk(creation, 3, chunk.data());
        H5Pset_shuffle(creation);
        H5Pset_deflate(creation, 6);
        H5Pset_fletcher32(creation);
      }
      put_dataset(file, "image", counting({5, 2, 3}), chunk, creation);
      put_dataset(file, "labels", ir::Tensor::of<int64_t>({5}, {9, 8, 7, 6, 5}));
    });
    ASSERT_EQ(data->size(), 5);
    EXPECT_TRUE(identical(data->read(4).at("image").tensor,
                          ir::Tensor::of<float>({1, 2, 3}, {24, 25, 26, 27, 28, 29})));
    EXPECT_EQ(data->labels(), (std::vector<int64_t>{9, 8, 7, 6, 5}));
  }
}

TEST_F(Hdf5Test, FindsNamesWithSlashesAsPathsAndEscaped) {
  ir::Model renamed;
  renamed.ir_version = 8;
  renamed.set_opset("", 17);
  renamed.graph = std::make_unique<ir::Graph>();
  renamed.graph->add_input("/model/in",
                           ir::Type::tensor(ir::DataType::kFloat, ir::shape_of({1, 2, 3})));
  for (const std::string name : {"model/in", "_model_in"}) {
    write_hdf5(path_, [&](hid_t file) { put_dataset(file, name, counting({5, 2, 3})); });
    const auto data = open_dataset(path_, renamed);
    EXPECT_EQ(data->read(1).at("/model/in").tensor.data<float>()[0], 6) << name;
  }
}

TEST_F(Hdf5Test, TakesCustomaryNamesForASingleInput) {
  const auto data = open([](hid_t file) {
    put_dataset(file, "x", counting({5, 2, 3}));
    put_dataset(file, "y", ir::Tensor::of<int64_t>({5, 1}, {0, 1, 2, 3, 4}));
    put_dataset(file, "extra", counting({1}));
  });
  EXPECT_EQ(data->read(1).at("image").tensor.data<float>()[0], 6);
  EXPECT_EQ(data->labels(), (std::vector<int64_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(data->notes(),
            (std::vector<std::string>{"array 'x' is taken for input 'image'",
                                      "array 'extra' matches no input and is ignored"}));
}

TEST_F(Hdf5Test, StacksSampleGroups) {
  const auto data = open([](hid_t file) {
    for (int i = 0; i < 12; ++i) {
      put_dataset(file, "sample_" + std::to_string(i) + "/image",
                  ir::Tensor::of<float>({1, 2, 3}, std::vector<float>(6, static_cast<float>(i))));
    }
  });
  ASSERT_EQ(data->size(), 12);
  const ir::Tensor sample = data->read(10).at("image").tensor;
  EXPECT_EQ(sample.dims(), (ir::Dims{1, 2, 3}));
  EXPECT_EQ(sample.data<float>()[0], 10);
}

// By the names that they have in the file, whatever is missing before them.
TEST_F(Hdf5Test, MessagesNameSampleGroups) {
  const auto data = open([](hid_t file) {
    for (const int i : {0, 3, 7, 9}) {
      const int64_t columns = i == 9 ? 4 : 3;
      std::vector<float> numbers(static_cast<size_t>(2 * columns), i == 7 ? NAN : 1.0f);
      put_dataset(file, "sample_" + std::to_string(i) + "/image",
                  ir::Tensor::of<float>({1, 2, columns}, numbers));
    }
  });
  EXPECT_EQ(data->sample_name(1), "sample_3");
  EXPECT_FALSE(data->uniform());
  const auto message = [&](int64_t first) { return error_of([&] { data->read(first); }); };
  EXPECT_NE(message(2).find("NaN in sample_7"), std::string::npos) << message(2);
  EXPECT_NE(message(3).find("sample_9: array 'image' holds a tensor of shape [1, 2, 4]"),
            std::string::npos)
      << message(3);
}

TEST_F(Hdf5Test, RefusesWrongNamesWithBothLists) {
  const std::string message = error([](hid_t file) {
    put_dataset(file, "picture", counting({5, 2, 3}));
  });
  EXPECT_NE(message.find("no array for input 'image': the model expects 'image' "
                         "tensor(float)[N, 2, 3]; the data hold 'picture' float [5, 2, 3]"),
            std::string::npos)
      << message;
}

TEST_F(Hdf5Test, SuggestsTheOrderOfAxes) {
  const std::string message = error([](hid_t file) {
    put_dataset(file, "image", counting({5, 3, 2}));
  });
  EXPECT_NE(message.find("array.transpose(0, 2, 1)"), std::string::npos) << message;
}

TEST_F(Hdf5Test, RefusesLabelsOfAnotherLength) {
  const std::string message = error([](hid_t file) {
    put_dataset(file, "image", counting({5, 2, 3}));
    put_dataset(file, "labels", ir::Tensor::of<int64_t>({4}, {0, 0, 0, 0}));
  });
  EXPECT_NE(message.find("4 labels for 5 samples"), std::string::npos) << message;
}

TEST_F(Hdf5Test, RefusesExternalStorage) {
  test::write_bytes(folder_ / "secret", std::string(120, 'x'));
  const std::string message = error([&](hid_t file) {
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(creation, (folder_ / "secret").c_str(), 0, 120);
    const hsize_t dims[] = {5, 2, 3};
    const hid_t space = H5Screate_simple(3, dims, nullptr);
    H5Dclose(
        H5Dcreate2(file, "image", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, creation, H5P_DEFAULT));
    H5Sclose(space);
    H5Pclose(creation);
  });
  EXPECT_NE(message.find("keeps its data in another file"), std::string::npos) << message;
}

TEST_F(Hdf5Test, RefusesLinks) {
  EXPECT_NE(error([](hid_t file) {
              put_dataset(file, "original", counting({5, 2, 3}));
              H5Lcreate_soft("/original", file, "image", H5P_DEFAULT, H5P_DEFAULT);
            }).find("soft link"),
            std::string::npos);
  write_hdf5(folder_ / "other.h5", [](hid_t file) {
    put_dataset(file, "image", counting({5, 2, 3}));
  });
  EXPECT_NE(error([&](hid_t file) {
              H5Lcreate_external((folder_ / "other.h5").c_str(), "/image", file, "image",
                                 H5P_DEFAULT, H5P_DEFAULT);
            }).find("external link"),
            std::string::npos);
}

TEST_F(Hdf5Test, EndsOnGroupsThatContainThemselves) {
  const auto data = open([](hid_t file) {
    put_dataset(file, "image", counting({5, 2, 3}));
    const hid_t group = H5Gcreate2(file, "loop", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_hard(file, "/", group, "up", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_hard(file, "/loop", group, "self", H5P_DEFAULT, H5P_DEFAULT);
    H5Gclose(group);
  });
  EXPECT_EQ(data->size(), 5);
}

TEST_F(Hdf5Test, RefusesVirtualDatasets) {
  write_hdf5(folder_ / "other.h5", [](hid_t file) {
    put_dataset(file, "image", counting({5, 2, 3}));
  });
  const std::string message = error([&](hid_t file) {
    const hsize_t dims[] = {5, 2, 3};
    const hid_t space = H5Screate_simple(3, dims, nullptr);
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_virtual(creation, space, (folder_ / "other.h5").c_str(), "image", space);
    H5Dclose(
        H5Dcreate2(file, "image", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, creation, H5P_DEFAULT));
    H5Pclose(creation);
    H5Sclose(space);
  });
  EXPECT_NE(message.find("virtual"), std::string::npos) << message;
}

TEST_F(Hdf5Test, RefusesOtherFilters) {
  const std::string message = error([](hid_t file) {
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t chunk[] = {5, 2, 3};
    H5Pset_chunk(creation, 3, chunk);
    H5Pset_scaleoffset(creation, H5Z_SO_FLOAT_DSCALE, 2);
    put_dataset(file, "image", counting({5, 2, 3}), {5, 2, 3}, creation);
  });
  EXPECT_NE(message.find("not accepted; write it with gzip"), std::string::npos) << message;
}

// 10^12 elements that take no bytes in the file.
TEST_F(Hdf5Test, RefusesExtentsWithoutData) {
  const std::string message = error([](hid_t file) {
    const hsize_t dims[] = {1000000000000, 2, 3}, chunk[] = {16, 2, 3};
    const hid_t space = H5Screate_simple(3, dims, nullptr);
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(creation, 3, chunk);
    H5Dclose(
        H5Dcreate2(file, "image", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, creation, H5P_DEFAULT));
    H5Pclose(creation);
    H5Sclose(space);
  });
  EXPECT_NE(message.find("only 0 are stored"), std::string::npos) << message;
}

TEST_F(Hdf5Test, RefusesRanksAbove8AndText) {
  EXPECT_NE(error([](hid_t file) {
              put_dataset(file, "image", counting({1, 1, 1, 1, 1, 1, 1, 1, 1}));
            }).find("9 dimensions"),
            std::string::npos);
  EXPECT_NE(
      error([](hid_t file) {
        const hid_t type = H5Tcopy(H5T_C_S1);
        H5Tset_size(type, 8);
        const hsize_t dims[] = {5};
        const hid_t space = H5Screate_simple(1, dims, nullptr);
        H5Dclose(H5Dcreate2(file, "image", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
        H5Sclose(space);
        H5Tclose(type);
      }).find("not integers, bool or floats"),
      std::string::npos);
}

// Chunks that claim to be unfiltered but hold too little made HDF5 1.10 read beyond its buffer.
TEST_F(Hdf5Test, RefusesChunksOfTheWrongSize) {
  const auto with_chunk = [](const std::vector<uint8_t>& bytes, uint32_t skipped) {
    return [=](hid_t file) {
      const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
      const hsize_t dims[] = {512, 2, 3}, start[] = {0, 0, 0};
      H5Pset_chunk(creation, 3, dims);
      H5Pset_deflate(creation, 6);
      const hid_t space = H5Screate_simple(3, dims, nullptr);
      const hid_t set =
          H5Dcreate2(file, "image", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, creation, H5P_DEFAULT);
      EXPECT_GE(H5Dwrite_chunk(set, H5P_DEFAULT, skipped, start, bytes.size(), bytes.data()), 0);
      H5Dclose(set);
      H5Sclose(space);
      H5Pclose(creation);
    };
  };
  for (const size_t size : {16, 12287, 12289}) {
    const auto data = open(with_chunk(std::vector<uint8_t>(size, 1), 1));
    EXPECT_NE(error_of([&] { data->read(511); }).find("is damaged (its size)"), std::string::npos);
  }
  auto exact = open(with_chunk(std::vector<uint8_t>(12288, 0), 1));
  EXPECT_EQ(exact->read(511).at("image").tensor.data<float>()[5], 0);
  exact.reset();  // HDF5 does not write a file that is open
  const auto junk = open(with_chunk(std::vector<uint8_t>(100, 7), 0));
  EXPECT_NE(error_of([&] { junk->read(0); }).find("compressed data"), std::string::npos);
}

// Chunks that were never written hold the fill value.
TEST_F(Hdf5Test, FillsUnwrittenChunks) {
  const auto data = open([](hid_t file) {
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t dims[] = {4, 2, 3}, chunk[] = {2, 2, 3};
    const float fill = 0.5f;
    H5Pset_chunk(creation, 3, chunk);
    H5Pset_fill_value(creation, H5T_NATIVE_FLOAT, &fill);
    const hid_t space = H5Screate_simple(3, dims, nullptr);
    const hid_t set =
        H5Dcreate2(file, "image", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    const std::vector<float> ones(12, 1);
    const hsize_t start[] = {0, 0, 0};
    H5Dwrite_chunk(set, H5P_DEFAULT, 0, start, ones.size() * sizeof(float), ones.data());
    H5Dclose(set);
    H5Sclose(space);
    H5Pclose(creation);
  });
  EXPECT_EQ(data->read(1).at("image").tensor.data<float>()[5], 1);
  EXPECT_EQ(data->read(2).at("image").tensor.data<float>()[0], 0.5f);
}

TEST_F(Hdf5Test, RefusesWrongFletcherChecksums) {
  const auto fill = [](hid_t file) {
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t chunk[] = {5, 2, 3};
    H5Pset_chunk(creation, 3, chunk);
    H5Pset_fletcher32(creation);
    put_dataset(file, "image", counting({5, 2, 3}), {5, 2, 3}, creation);
  };
  EXPECT_EQ(open(fill)->read(0).at("image").tensor.data<float>()[1], 1);
  std::string bytes = test::read_bytes(path_);
  const ir::Tensor stored = counting({5, 2, 3});
  const size_t at =
      bytes.find(std::string(reinterpret_cast<const char*>(stored.bytes()), stored.byte_size()));
  ASSERT_NE(at, std::string::npos);
  bytes[at + 5] ^= 4;
  test::write_bytes(path_, bytes);
  const auto data = open_dataset(path_, model_);
  EXPECT_NE(error_of([&] { data->read(0); }).find("its checksum"), std::string::npos);
}

TEST_F(Hdf5Test, RefusesEmptyDatasets) {
  EXPECT_NE(error([](hid_t file) {
              put_dataset(file, "image", counting({0, 2, 3}));
            }).find("no samples"),
            std::string::npos);
}

TEST_F(Hdf5Test, RefusesTruncatedFilesQuietly) {
  write_hdf5(path_, [](hid_t file) { put_dataset(file, "image", counting({500, 2, 3})); });
  const std::string good = test::read_bytes(path_);
  testing::internal::CaptureStderr();
  for (size_t size = 8; size < good.size(); size += 501) {
    test::write_bytes(path_, good.substr(0, size));
    EXPECT_FALSE(error_of([&] { open_dataset(path_, model_); }).empty()) << size;
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST_F(Hdf5Test, MemoryDoesNotGrowWithSamples) {
  std::vector<size_t> peaks;
  for (const int64_t samples : {16, 4096}) {
    write_hdf5(path_, [&](hid_t file) {
      put_dataset(file, "image", counting({samples, 2, 3}), {16, 2, 3});
    });
    const size_t before = ir::memory_in_use();
    ir::reset_memory_peak();
    const auto data = open_dataset(path_, model_);
    for (int64_t i = 0; i < samples; ++i) data->read(i);
    peaks.push_back(ir::memory_peak() - before);
  }
  EXPECT_EQ(peaks[0], peaks[1]);
}

}  // namespace
}  // namespace fettle::calib
