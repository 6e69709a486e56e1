// How inference combines what it proved about a value with what the file declares.
#pragma once

#include <string>

#include "ir/type.h"

namespace fettle::ops {

// A declared symbol that reads as a number ("-1") is a name all the same; sanitized() puts it in
// braces for dimension arithmetic, restored() takes them off.
ir::Type sanitized(ir::Type type);
ir::Type restored(ir::Type type);

// The more precise of both, part by part; `inferred` where they are equally precise. Throws
// kBadInput naming the value when they contradict each other. Shapes of intermediate values
// (`binding` false) may do so, because exporters leave stale ones behind: `inferred` then wins.
ir::Type merged(const ir::Type& inferred, const ir::Type& declared, const std::string& value,
                bool binding);
// The same for formal inputs of a body, whose declarations bind nobody: contradictions are ignored.
ir::Type refined(const ir::Type& given, const ir::Type& declared);
// What values of either type surely have in common.
ir::Type common(const ir::Type& a, const ir::Type& b);
// Gives the dimensions of `type` that are not numbers the symbols that `declared` has for them.
void keep_symbols(ir::Type& type, const ir::Type& declared);

}  // namespace fettle::ops
