#include "process/binding.h"

#include <memory>
#include <string>
#include <utility>

#include "core/call.h"
#include "core/convert.h"
#include "process/file_lock.h"
#include "process/spawn.h"

namespace hostbrick {

namespace process {
namespace {

Napi::Value to_object(Napi::Env env, const Ending& ending) {
  auto object = Napi::Object::New(env);
  object.Set("code", ending.code);
  object.Set("signal", ending.signal);
  object.Set("output", ending.output);
  object.Set("error", ending.error);
  return object;
}

Napi::Value run(const Napi::CallbackInfo& info) {
  const auto description = info[0].As<Napi::Object>();
  Program program{to_texts(description.Get("arguments")), to_texts(description.Get("environment")),
                  description.Get("input").As<Napi::String>()};
  return start_interruptible_call(
      info.Env(), "program",
      [program = std::move(program)](const Event& interrupt) { return run_program(program, interrupt); }, to_object);
}

std::int64_t to_offset(const Napi::Value& value) {
  bool lossless = true;
  return value.As<Napi::BigInt>().Int64Value(&lossless);
}

LockKind to_kind(const Napi::Value& shared) { return shared.ToBoolean() ? LockKind::shared : LockKind::exclusive; }

// The function that gives the lock back; garbage collection does so too.
Napi::Value to_release(Napi::Env env, const std::shared_ptr<FileDescriptor>& held) {
  return Napi::Function::New(env, [held](const Napi::CallbackInfo&) { held->close(); }, "release");
}

Napi::Value lock(const Napi::CallbackInfo& info) {
  return start_call(
      info.Env(), info[0].As<Napi::String>(),
      [path = info[1].As<Napi::String>().Utf8Value(), offset = to_offset(info[2]), kind = to_kind(info[3])] {
        return std::make_shared<FileDescriptor>(lock_byte(path, offset, kind));
      },
      to_release);
}

// On the caller's own thread.
Napi::Value try_lock(const Napi::CallbackInfo& info) {
  try {
    auto held = try_lock_byte(info[0].As<Napi::String>(), to_offset(info[1]), to_kind(info[2]));
    if (!held) return info.Env().Undefined();
    return to_release(info.Env(), std::make_shared<FileDescriptor>(*std::move(held)));
  } catch (const SystemError& failure) {
    throw to_javascript(info.Env(), failure);
  }
}

}  // namespace
}  // namespace process

void export_process(Napi::Env env, Napi::Object exports) {
  exports.Set("runProgram", Napi::Function::New(env, process::run, "runProgram"));
  exports.Set("lockByte", Napi::Function::New(env, process::lock, "lockByte"));
  exports.Set("tryLockByte", Napi::Function::New(env, process::try_lock, "tryLockByte"));
}

}  // namespace hostbrick
