#pragma once

#include <napi.h>

#include <memory>
#include <utility>
#include <vector>

#include "sysfs/attribute.h"
#include "sysfs/walk.h"

namespace hostbrick {

// Hands the bytes over without a copy: they live as long as the finalizer that holds them.
template <typename Owner>
Napi::Value to_buffer(Napi::Env env, Owner bytes) {
  if (bytes.size() == 0) return Napi::Buffer<char>::New(env, 0);
  const auto owned = std::make_shared<Owner>(std::move(bytes));
  return Napi::Buffer<char>::NewOrCopy(env, owned->data(), owned->size(), [owned](Napi::Env, const char*) {});
}

/** What a walk is to read, out of a plan's text. Throws a JavaScript error as `read_plan` does. */
std::vector<WalkFolder> to_folders(const Napi::Value& plan);

/** A file that cannot be read is its errno, negative as in the bulk walk. */
Napi::Value to_values(Napi::Env env, std::vector<FileRead> files);

}  // namespace hostbrick
