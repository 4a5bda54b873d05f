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

inline std::vector<std::string> to_texts(const Napi::Value& value) {
  const auto list = value.As<Napi::Array>();
  std::vector<std::string> texts;
  texts.reserve(list.Length());
  for (std::uint32_t i = 0; i < list.Length(); ++i) texts.push_back(list.Get(i).As<Napi::String>());
  return texts;
}

}  // namespace hostbrick
