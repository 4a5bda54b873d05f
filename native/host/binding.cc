#include "host/binding.h"

#include <string>
#include <utility>
#include <vector>

#include "core/call.h"
#include "core/convert.h"
#include "network/addresses.h"
#include "sysfs/values.h"
#include "sysfs/walk.h"

namespace hostbrick {

namespace host {
namespace {

struct HostFacts {
  std::vector<FileRead> files;
  GrowingBytes walk;
  std::vector<std::string> addresses;
};

Napi::Value to_object(Napi::Env env, HostFacts facts) {
  auto object = Napi::Object::New(env);
  object.Set("files", to_values(env, std::move(facts.files)));
  object.Set("walk", to_buffer(env, std::move(facts.walk)));
  object.Set("addresses", to_array(env, facts.addresses));
  return object;
}

// None of it waits for anything, and a thread that is woken costs more than all of it.
Napi::Value read_host(const Napi::CallbackInfo& info) {
  return start_call(
      info.Env(), info[0].As<Napi::String>(),
      [paths = to_texts(info[1]), root = info[2].As<Napi::String>().Utf8Value(), folders = to_folders(info[3])] {
        return HostFacts{read_files(paths), walk(root, folders), own_addresses()};
      },
      to_object);
}

}  // namespace
}  // namespace host

void export_host(Napi::Env env, Napi::Object exports) {
  exports.Set("readHost", Napi::Function::New(env, host::read_host, "readHost"));
}

}  // namespace hostbrick
