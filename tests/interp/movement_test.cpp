// Accelerated data movement against the reference kernels, element by element.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "interp/random_feeds.h"
#include "ir/error.h"
#include "support/text_model.h"

namespace fettle {
namespace {

struct Case {
  std::string name;
  std::string graph;
  int64_t opset = 17;
  double tolerance = 0;
};

class Movement : public testing::TestWithParam<Case> {};

TEST_P(Movement, MatchesTheReference) {
  const ir::Model model = test::parse_text_graph(GetParam().graph, GetParam().opset);
  test::expect_accelerated_matches(model, 23, GetParam().tolerance);
}

// z = op(x, lists...), the lists being constants; `type` is that of x and z.
std::string one_node(const std::string& type, const std::string& x, const std::string& op,
                     const std::string& attributes = "",
                     const std::vector<std::string>& lists = {}) {
  std::string graph = "g (" + type + x + " x) => (" + type + " z) { ";
  std::string operands = "x";
  for (size_t i = 0; i < lists.size(); ++i) {
    const std::string name = "l" + std::to_string(i);
    if (lists[i].empty()) {
      operands += ",";
      continue;
    }
    graph += name + " = Constant <value = " + lists[i] + "> () ";
    operands += ", " + name;
  }
  return graph + "z = " + op + (attributes.empty() ? "" : " <" + attributes + ">") + " (" +
         operands + ") }";
}

std::vector<Case> transpositions() {
  const std::vector<std::pair<std::string, std::string>> shapes{
      {"[37,53]", "[1,0]"},         {"[64,64]", "[1,0]"},           {"[3,17,5]", "[2,0,1]"},
      {"[2,3,19,21]", "[0,2,3,1]"}, {"[2,19,21,3]", "[0,3,1,2]"},   {"[2,6,4,8]", "[0,2,1,3]"},
      {"[1,12,7,5]", "[0,2,3,1]"},  {"[2,3,4,5,6]", "[4,2,0,3,1]"}, {"[7,2,35]", "[0,2,1]"},
      {"[7,35,2]", "[0,2,1]"},      {"[5,0,3]", "[1,0,2]"},         {"[4,3,50]", "[1,0,2]"},
      {"[2,5,16,9]", "[0,1,3,2]"},  {"[1,1,1]", "[2,1,0]"},         {"[3,200,300]", "[0,2,1]"},
      {"[700,3,64]", "[1,0,2]"},    {"[2,70,90,33]", "[2,3,0,1]"}};
  std::vector<Case> cases;
  for (const char* type : {"float", "uint8", "int64", "float16", "double", "bool"}) {
    for (size_t i = 0; i < shapes.size(); ++i) {
      cases.push_back({std::string(type) + std::to_string(i),
                       one_node(type, shapes[i].first, "Transpose", "perm = " + shapes[i].second)});
    }
  }
  cases.push_back({"reversed", one_node("float", "[3,4,5]", "Transpose")});
  cases.push_back({"scalar", one_node("float", "[]", "Transpose")});
  return cases;
}

std::vector<Case> views() {
  const std::string x = "[2,3,1,4]";
  return {
      {"reshape", one_node("float", x, "Reshape", "", {"int64[3] {0,-1,2}"})},
      {"reshape_zero", one_node("float", "[0,3]", "Reshape", "allowzero = 1", {"int64[2] {3,0}"})},
      {"reshape_4", "g (float[4,6] x) => (float z) { z = Reshape <shape = [3,-1]> (x) }", 1},
      {"flatten", one_node("uint8", x, "Flatten", "axis = -2")},
      {"squeeze", one_node("float", "[1,3,1,4]", "Squeeze")},
      {"squeeze_axes", one_node("float", "[1,3,1,4]", "Squeeze", "", {"int64[1] {-2}"})},
      {"squeeze_11", one_node("float", "[1,3,1,4]", "Squeeze", "axes = [0,2]"), 11},
      {"unsqueeze", one_node("float", "[3,4]", "Unsqueeze", "", {"int64[3] {-1,0,2}"})},
      {"unsqueeze_11", one_node("int32", "[3,4]", "Unsqueeze", "axes = [1,3]"), 11},
      // A view must not be overwritten while what it shares is still read, nor the other way.
      {"shared",
       "g (float[3,4] x) => (float y, float z) { s = Constant <value = int64[2] {4,3}> () "
       "a = Neg(x) b = Reshape(a, s) c = Relu(b) y = Transpose <perm = [1,0]> (c) z = Exp(a) }",
       17, 1e-5},
      {"after_pooling",
       "g (float[2,19,6,6] x, float[32,19,3,3] w) => (float z) { c = Conv(x, w) "
       "p = GlobalAveragePool(c) z = Flatten(p) }",
       17, 1e-5},
      {"after_padded_pooling",
       "g (float[1,19,6,6] x, float[35,19,3,3] w) => (float z) { c = Conv(x, w) "
       "p = GlobalAveragePool(c) f = Flatten(p) z = Neg(f) }",
       17, 1e-5},
      {"after_padded_pooling_of_a_batch",
       "g (float[2,19,6,6] x, float[35,19,3,3] w) => (float z) { c = Conv(x, w) "
       "p = GlobalAveragePool(c) f = Flatten(p) z = Neg(f) }",
       17, 1e-5},
  };
}

std::vector<Case> parts() {
  const auto slice = [](const std::string& name, const std::string& x, const std::string& starts,
                        const std::string& ends, const std::string& axes,
                        const std::string& steps) {
    return Case{name, one_node("float", x, "Slice", "", {starts, ends, axes, steps})};
  };
  const auto split = [](const std::string& name, const std::string& x, const std::string& head,
                        const std::string& attributes, int64_t opset) {
    return Case{"split_" + name,
                "g (float" + x + " x) => (float a, float b, float c) { " + head +
                    " a, b, c = Split " + (attributes.empty() ? "" : "<" + attributes + ">") +
                    (head.empty() ? " (x) }" : " (x, s) }"),
                opset};
  };
  return {
      slice("first", "[6,5,4]", "int64[1] {1}", "int64[1] {3}", "int64[1] {0}", ""),
      slice("inner", "[6,5,4]", "int64[1] {1}", "int64[1] {3}", "int64[1] {-1}", ""),
      slice("steps", "[9,10,12]", "int64[2] {1,0}", "int64[2] {9,99}", "int64[2] {1,2}",
            "int64[2] {3,2}"),
      slice("focus", "[1,3,32,46]", "int64[2] {0,1}", "int64[2] {32,46}", "int64[2] {2,3}",
            "int64[2] {2,2}"),
      slice("backwards", "[5,11]", "int64[2] {-1,-1}", "int64[2] {-99,-99}", "int64[2] {0,1}",
            "int64[2] {-1,-1}"),
      slice("back_by_three", "[50]", "int64[1] {40}", "int64[1] {2}", "int64[1] {0}",
            "int64[1] {-3}"),
      slice("nothing", "[6,5]", "int64[1] {4}", "int64[1] {2}", "int64[1] {0}", ""),
      slice("everything", "[6,5]", "int64[1] {0}", "int64[1] {99}", "int64[1] {1}", ""),
      slice("huge_step", "[6,5]", "int64[1] {2}", "int64[1] {6}", "int64[1] {0}",
            "int64[1] {9223372036854775807}"),
      slice("narrow_lists", "[6,5]", "int32[1] {2}", "int32[1] {6}", "int32[1] {0}", ""),
      {"slice_9", one_node("float", "[6,5]", "Slice", "starts = [1,1], ends = [4,-1]"), 9},
      split("even", "[2,9,4]", "", "axis = 1", 11),
      split("first_axis", "[9,4]", "", "", 13),
      split("sizes", "[2,9,4]", "s = Constant <value = int64[3] {2,0,7}> ()", "axis = 1", 13),
      split("uneven", "[2,8,4]", "", "axis = -2, num_outputs = 3", 18),
      {"parts_written_in_place",
       "g (float[4,6] x) => (float y, float z) { n = Neg(x) a, b = Split <axis = 0> (n) "
       "y = Relu(a) z = Exp(b) }",
       17, 1e-5},
  };
}

std::vector<Case> repeats() {
  const auto pad = [](const std::string& name, const std::string& x, const std::string& mode,
                      const std::string& pads, int64_t opset = 19) {
    return Case{"pad_" + name, one_node("float", x, "Pad", "mode = \"" + mode + "\"", {pads}),
                opset};
  };
  return {
      {"expand", one_node("float", "[3,1,5]", "Expand", "", {"int64[4] {2,1,4,1}"})},
      {"expand_rows", one_node("uint8", "[1,700]", "Expand", "", {"int64[2] {600,700}"})},
      {"expand_scalar", one_node("float", "[]", "Expand", "", {"int64[2] {3,4}"})},
      {"expand_empty", one_node("float", "[1,3]", "Expand", "", {"int64[2] {0,3}"})},
      {"expand_same", one_node("float", "[2,3]", "Expand", "", {"int64[1] {3}"})},
      {"tile", one_node("float", "[2,3,4]", "Tile", "", {"int64[3] {2,1,3}"})},
      {"tile_none", one_node("float", "[2,3]", "Tile", "", {"int64[2] {0,2}"})},
      pad("constant", "[2,3,5]", "constant", "int64[6] {0,1,2,0,2,1}"),
      pad("crop", "[4,6]", "constant", "int64[4] {-1,2,0,-3}"),
      {"pad_value", one_node("float", "[2,3]", "Pad", "", {"int64[4] {1,1,0,2}", "float {2.5}"})},
      {"pad_axes", one_node("float", "[2,3,4]", "Pad", "", {"int64[2] {2,1}", "", "int64[1] {-2}"}),
       18},
      {"pad_old", one_node("float", "[2,3]", "Pad", "pads = [1,0,0,2], value = 1.5"), 10},
      pad("reflect", "[2,5,6]", "reflect", "int64[6] {0,1,3,0,2,2}"),
      pad("reflect_far", "[3]", "reflect", "int64[2] {7,5}"),
      pad("edge", "[2,5,6]", "edge", "int64[6] {1,0,3,2,0,-2}"),
      pad("edge_middle", "[2,5,6]", "edge", "int64[6] {0,2,0,0,3,0}"),
      pad("wrap", "[4,5]", "wrap", "int64[4] {2,-1,1,7}"),
      {"depth_to_space", one_node("float", "[2,12,3,5]", "DepthToSpace", "blocksize = 2")},
      {"depth_to_space_3",
       one_node("float", "[1,18,5,4]", "DepthToSpace", "blocksize = 3, mode = \"CRD\"")},
      {"depth_to_space_bytes", one_node("uint8", "[1,16,5,9]", "DepthToSpace", "blocksize = 2")},
      {"space_to_depth", one_node("float", "[2,3,4,6]", "SpaceToDepth", "blocksize = 2")},
      {"space_to_depth_3", one_node("int8", "[1,2,6,9]", "SpaceToDepth", "blocksize = 3")},
  };
}

std::vector<Case> selections() {
  const auto gather = [](const std::string& name, const std::string& type, const std::string& x,
                         const std::string& axis, const std::string& indices) {
    return Case{"gather_" + name, one_node(type, x, "Gather", "axis = " + axis, {indices})};
  };
  return {
      gather("rows", "float", "[5,6]", "0", "int64[3] {4,-5,1}"),
      gather("one", "float", "[5,6]", "0", "int64 {-1}"),
      gather("one_column", "float", "[5,6]", "1", "int64 {2}"),
      gather("middle", "uint8", "[2,5,3]", "1", "int32[2,2] {4,0,-1,2}"),
      gather("elements", "int64", "[7]", "0", "int64[4] {6,0,3,3}"),
      gather("none", "float", "[5,6]", "1", "int64[0] {}"),
      {"gather_nd", one_node("float", "[3,4,5]", "GatherND", "", {"int64[3,2] {0,1,-1,3,2,-4}"})},
      {"gather_nd_elements", one_node("uint8", "[3,4]", "GatherND", "", {"int64[2,2] {2,1,0,0}"})},
      {"scatter_nd",
       "g (float[4,5] x, float[3,5] u) => (float z) { i = Constant <value = int64[3,1] {3,0,3}> () "
       "z = ScatterND(x, i, u) }"},
      {"scatter_nd_in_place",
       "g (float[4,5] x, float[4] u) => (float z) { n = Neg(x) "
       "i = Constant <value = int64[4,2] {0,1,0,2,0,3,-1,-1}> () z = ScatterND(n, i, u) }"},
      {"scatter_nd_used_later",
       "g (float[4,5] x, float[1] u) => (float z) { n = Neg(x) "
       "i = Constant <value = int64[1,2] {0,1}> () s = ScatterND(n, i, u) z = Add(n, s) }"},
      {"where",
       "g (bool[3,1,5] c, float[4,1] x, float[3,4,5] y) => (float z) { z = Where(c, x, y) }"},
      {"where_scalars",
       "g (bool[3,5] c, float[] x, float[] y) => (float z) { z = Where(c, x, y) }"},
      {"where_one", "g (bool[] c, int64[3] x, int64[2,3] y) => (int64 z) { z = Where(c, x, y) }"},
      {"where_bytes", "g (bool[70] c, uint8[70] x, uint8[] y) => (uint8 z) { z = Where(c, x, y) }"},
      {"where_empty",
       "g (bool[0,3] c, float[1,3] x, float[] y) => (float z) { z = Where(c, x, y) }"},
      {"concat",
       "g (float[2,3,4] x, float[2,1,4] y, float[2,0,4] v) => (float z) "
       "{ z = Concat <axis = -2> (x, y, v) }"},
      {"concat_bytes",
       "g (uint8[5] x, uint8[300000] y) => (uint8 z) { z = Concat <axis = 0> (x, y) }"},
      {"concat_large",
       "g (float[300,100] x, float[300,300] y) => (float z) "
       "{ z = Concat <axis = 1> (x, y) }"},
      {"concat_4", "g (float[2,3] x, float[2,1] y) => (float z) { z = Concat (x, y) }", 1},
  };
}

std::vector<Case> casts() {
  std::vector<Case> cases;
  const std::vector<std::pair<std::string, int>> types{{"float", 1}, {"uint8", 2}, {"int8", 3},
                                                       {"int32", 6}, {"int64", 7}, {"bool", 9}};
  for (const auto& [from, from_number] : types) {
    for (const auto& [to, to_number] : types) {
      if (from == to) continue;
      cases.push_back({from + "_to_" + to, "g (" + from + "[3,70] x) => (" + to +
                                               " z) { z = Cast <to = " + std::to_string(to_number) +
                                               "> (x) }"});
    }
  }
  for (const auto& [to, number] : types) {
    if (to == "float") continue;
    cases.push_back(
        {"special_to_" + to,
         "g (float[11] x) => (" + to +
             " z) { s = Constant <value = float[11] {0.9, -0.9, 300.7, "
             "-129.5, 2147483648.0, -2147483904.0, 9223372036854775807.0, -1e30, 1e30, 255.99, "
             "-0.0}> () y = Mul(x, s) m = Sub(y, y) n = Div(m, m) q = Add(s, m) c = Concat <axis = "
             "0> "
             "(q, n) z = Cast <to = " +
             std::to_string(number) + "> (c) }"});
  }
  return cases;
}

std::vector<Case> values() {
  return {
      {"shape", "g (float[3,4,5] x) => (int64 z) { z = Shape <start = 1, end = -1> (x) }"},
      {"shape_empty", "g (float[3,4] x) => (int64 z) { z = Shape <start = 2, end = 1> (x) }"},
      {"size", "g (float[3,0,5] x) => (int64 z) { z = Size(x) }"},
      {"constant_of_shape",
       "g (float[3,4] x) => (int32 z) { s = Shape(x) "
       "z = ConstantOfShape <value = int32[1] {7}> (s) }"},
      {"range",
       "g (float[9,4] x) => (int64 z) { s = Shape(x) i = Constant <value = int64 {0}> () "
       "j = Constant <value = int64 {-2}> () a = Gather(s, i) z = Range(a, i, j) }"},
      // The next operator must not write into a result that is kept.
      {"kept_result",
       "g (float[3,4] x) => (float z) { s = Shape(x) "
       "c = ConstantOfShape(s) a = Add(c, x) b = Exp(c) z = Sub(a, b) }",
       17, 1e-5},
  };
}

std::vector<Case> resizes() {
  std::vector<Case> cases;
  const auto add = [&](const std::string& name, const std::string& x, const std::string& mode,
                       const std::string& scales, const std::string& more = "") {
    cases.push_back({name,
                     one_node("float", x, "Resize", "mode = \"" + mode + "\"" + more, {"", scales}),
                     19, mode == "nearest" ? 0 : 1e-6});
  };
  const std::string twice = "float[4] {1.0,1.0,2.0,2.0}";
  const std::string odd = "float[4] {1.0,1.0,1.7,0.6}";
  for (const char* mode : {"nearest", "linear", "cubic"}) {
    for (const char* coordinates : {"half_pixel", "pytorch_half_pixel", "align_corners",
                                    "asymmetric", "half_pixel_symmetric"}) {
      const std::string more =
          std::string(", coordinate_transformation_mode = \"") + coordinates + "\"";
      const std::string name = std::string(mode) + "_" + coordinates;
      add(name, "[2,3,7,9]", mode, twice, more);
      add(name + "_odd", "[2,3,7,11]", mode, odd, more);
    }
    add(std::string(mode) + "_rows", "[1,3,8,6]", mode, "float[4] {1.0,1.0,3.0,1.0}");
    add(std::string(mode) + "_batch", "[2,3,8,6]", mode, "float[4] {2.0,2.0,0.5,1.0}");
    add(std::string(mode) + "_large", "[1,8,90,90]", mode, twice);
    add(std::string(mode) + "_antialias", "[1,2,20,20]", mode, "float[4] {1.0,1.0,0.4,0.3}",
        mode == std::string("nearest") ? "" : ", antialias = 1");
  }
  add("nearest_floor", "[1,2,5,5]", "nearest", twice,
      ", nearest_mode = \"floor\", coordinate_transformation_mode = \"asymmetric\"");
  cases.push_back({"sizes",
                   one_node("float", "[1,2,5,6]", "Resize", "mode = \"linear\"",
                            {"", "", "int64[4] {1,2,9,4}"}),
                   19, 1e-6});
  cases.push_back({"bytes",
                   one_node("uint8", "[1,2,5,6]", "Resize", "", {"", "float[4] {1.0,1.0,2.0,2.0}"}),
                   19});
  cases.push_back({"upsample_9",
                   one_node("float", "[1,2,5,6]", "Upsample", "mode = \"linear\"",
                            {"float[4] {1.0,1.0,2.0,3.0}"}),
                   9, 1e-6});
  cases.push_back(
      {"upsample_7", one_node("float", "[1,2,5,6]", "Upsample", "scales = [1.0,1.0,2.0,1.5]"), 7});
  cases.push_back({"resize_10",
                   one_node("float", "[1,2,5,6]", "Resize", "", {"float[4] {1.0,1.0,0.5,1.5}"}),
                   10});
  return cases;
}

// Operands in a primitive's own layout.
std::vector<Case> layouts() {
  const auto after = [](const std::string& name, int channels, const std::string& tail,
                        int64_t opset = 17) {
    const std::string c = std::to_string(channels);
    return Case{name,
                "g (float[2,16,6,6] x, float[" + c + ",16,3,3] w, float[" + c +
                    ",1,3,3] d) => "
                    "(float z) { c = Conv <pads = [1,1,1,1]> (x, w) " +
                    tail + " }",
                opset, 1e-5};
  };
  const std::string halves = "a, b = Split <axis = 1> (c) z = Sub(a, b)";
  const std::string slice =
      "s = Constant <value = int64[1] {16}> () e = Constant <value = int64[1] "
      "{27}> () i = Constant <value = int64[1] {1}> () "
      "a = Slice(c, s, e, i) z = Neg(a)";
  const auto resized = [](const std::string& mode) {
    return "r = Constant <value = float[4] {1.0,1.0,2.0,1.5}> () a = Resize <mode = \"" + mode +
           "\"> (c, , r) z = Neg(a)";
  };
  return {
      after("split_32", 32, halves),
      after("split_48", 48, halves),
      after("split_22", 22, halves),
      after("slice_32", 32, slice),
      after("slice_40", 40, slice),
      after("slice_of_depthwise", 32,
            "g = Conv <group = 32> (c, d) "
            "a, b = Split <axis = 1> (g) z = Mul(a, b)"),
      after("nearest", 35, resized("nearest")),
      after("linear", 35, resized("linear")),
      after("cubic", 32, resized("cubic")),
      after("joined_with_plain", 32,
            "t = Transpose <perm = [0,1,3,2]> (x) "
            "j = Concat <axis = 1> (c, t) z = Neg(j)"),
      after("joined_padded", 35, "j = Concat <axis = 1> (c, x, c) z = Neg(j)"),
      after("joined_rows", 32, "z = Concat <axis = 2> (c, c)"),
      after("shuffled", 32,
            "s = Constant <value = int64[5] {2,2,16,6,6}> () "
            "t = Constant <value = int64[4] {2,32,6,6}> () "
            "a = Reshape(c, s) b = Transpose <perm = [0,2,1,3,4]> (a) "
            "e = Reshape(b, t) z = Conv <group = 32> (e, d)"),
      after("shuffled_padded", 36,
            "s = Constant <value = int64[5] {2,3,12,6,6}> () "
            "t = Constant <value = int64[4] {2,-1,6,6}> () "
            "a = Reshape(c, s) b = Transpose <perm = [0,2,1,3,4]> (a) "
            "e = Reshape(b, t) z = Conv <group = 36> (e, d)"),
      after("shuffled_without_copies_of_extents", 32,
            "s = Constant <value = int64[5] {2,2,16,6,6}> () "
            "t = Constant <value = int64[4] {2,32,6,6}> () "
            "a = Reshape <allowzero = 1> (c, s) b = Transpose <perm = [0,2,1,3,4]> (a) "
            "z = Reshape <allowzero = 1> (b, t)"),
      after("flattened_axes", 32, "z = Flatten(c)"),
      after("shape", 35, "s = Shape(c) a = Cast <to = 1> (s) z = Neg(a)"),
  };
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Transpose, Movement, testing::ValuesIn(transpositions()), case_name);
INSTANTIATE_TEST_SUITE_P(View, Movement, testing::ValuesIn(views()), case_name);
INSTANTIATE_TEST_SUITE_P(Part, Movement, testing::ValuesIn(parts()), case_name);
INSTANTIATE_TEST_SUITE_P(Repeat, Movement, testing::ValuesIn(repeats()), case_name);
INSTANTIATE_TEST_SUITE_P(Selection, Movement, testing::ValuesIn(selections()), case_name);
INSTANTIATE_TEST_SUITE_P(Cast, Movement, testing::ValuesIn(casts()), case_name);
INSTANTIATE_TEST_SUITE_P(Value, Movement, testing::ValuesIn(values()), case_name);
INSTANTIATE_TEST_SUITE_P(Resize, Movement, testing::ValuesIn(resizes()), case_name);
INSTANTIATE_TEST_SUITE_P(Layout, Movement, testing::ValuesIn(layouts()), case_name);

// One executor, other shapes and lists on every call: what was prepared must not be used again.
TEST(MovementShapes, ChangeBetweenRuns) {
  const ir::Model model = test::parse_text_graph(
      "g (float[N,M] x, int64[2] s, int64[1] e) => (float z, int64 h) { "
      "n = Constant <value = int64[1] {0}> () t = Transpose <perm = [1,0]> (x) "
      "r = Reshape(t, s) c = Concat <axis = 0> (r, r) z = Slice(c, n, e) h = Shape(c) }",
      17);
  interp::Executor fast(model, {.exact = false, .threads = 2});
  struct Run {
    ir::Dims x, s;
    int64_t e;
  };
  const std::vector<Run> runs{{{2, 6}, {3, 4}, 2}, {{2, 6}, {4, 3}, 2}, {{2, 6}, {4, 3}, 5},
                              {{3, 5}, {5, 3}, 5}, {{0, 5}, {5, 0}, 1}, {{2, 6}, {3, 4}, 2}};
  for (const Run& run : runs) {
    interp::Feeds feeds;
    feeds["x"] = test::random_floats(run.x, 5);
    feeds["s"] = ir::Tensor::of({2}, run.s);
    feeds["e"] = ir::Tensor::of<int64_t>({1}, {run.e});
    const auto exact = test::run_model(model, feeds, {.exact = true, .threads = 1});
    const auto found = fast.run(feeds);
    for (size_t i = 0; i < exact.size(); ++i) {
      EXPECT_TRUE(identical(exact[i].tensor, found[i].tensor)) << ir::to_string(run.x);
    }
  }
}

// What the reference kernels refuse, the accelerated ones refuse with the same words.
TEST(MovementShapes, ErrorsAreThoseOfTheReference) {
  const std::vector<std::string> graphs{
      one_node("float", "[2,3]", "Reshape", "", {"int64[2] {4,-1}"}),
      one_node("float", "[2,3]", "Gather", "", {"int64[2] {0,2}"}),
      one_node("float", "[2,3]", "GatherND", "", {"int64[1,2] {0,-4}"}),
      one_node("float", "[2,3]", "Slice", "", {"int64[1] {0}", "int64[1] {1}", "int64[1] {2}"}),
      one_node("float", "[2,3]", "Squeeze", "", {"int64[1] {1}"}),
      one_node("float", "[2,3]", "Expand", "", {"int64[2] {3,3}"}),
      one_node("float", "[2,3]", "Tile", "", {"int64[1] {3}"}),
      one_node("float", "[2,3]", "Pad", "", {"int64[4] {-3,0,0,0}"}),
      "g (float[2,3] x, float[3,2] y) => (float z) { z = Concat <axis = 1> (x, y) }"};
  for (const std::string& graph : graphs) {
    const ir::Model model = test::parse_text_graph(graph, 17);
    const interp::Feeds feeds = test::random_feeds(model, 3);
    const auto message = [&](bool exact) -> std::string {
      try {
        test::run_model(model, feeds, {.exact = exact, .threads = 1});
      } catch (const Error& error) {
        return error.what();
      }
      return "";
    };
    EXPECT_NE(message(true), "") << graph;
    EXPECT_EQ(message(true), message(false)) << graph;
  }
}

}  // namespace
}  // namespace fettle
