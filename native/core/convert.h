#pragma once

#include <napi.h>

#include <string>
#include <vector>

namespace hostbrick {

inline Napi::Array to_array(Napi::Env env, const std::vector<std::string>& texts) {
  auto array = Napi::Array::New(env, texts.size());
  for (std::uint32_t i = 0; i < array.Length(); ++i) array.Set(i, texts[i]);
  return array;
}

}  // namespace hostbrick
