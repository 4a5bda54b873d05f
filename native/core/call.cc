#include "core/call.h"

#include <cerrno>

namespace hostbrick {

Napi::Error to_javascript(Napi::Env env, const SystemError& failure) {
  auto error = Napi::Error::New(env, failure.what());
  error.Set("errno", Napi::Number::New(env, -failure.error()));
  error.Set("syscall", Napi::String::New(env, failure.operation()));
  error.Set("path", Napi::String::New(env, failure.path()));
  if (!failure.detail().empty()) error.Set("detail", Napi::String::New(env, failure.detail()));
  return error;
}

Napi::Object call_object(Napi::Env env, const std::shared_ptr<PendingCall>& call, const std::shared_ptr<Job>& job) {
  auto object = Napi::Object::New(env);
  object.Set("result", call->deferred().Promise());
  if (!call->settled()) {
    call->enter(job, [call, job](Napi::Env target) {
      if (!call->settle(target)) return;
      Lanes::shared().abandon(job);
      const SystemError abandoned(ECANCELED, "abandon");
      call->deferred().Reject(to_javascript(target, abandoned).Value());
    });
  }
  object.Set("number", call->number());
  return object;
}

Napi::Object failed_call(Napi::Env env, const SystemError& failure) {
  const auto call = std::make_shared<PendingCall>(env);
  call->settle(env);
  call->deferred().Reject(to_javascript(env, failure).Value());
  return call_object(env, call, nullptr);
}

}  // namespace hostbrick
