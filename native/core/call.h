#pragma once

#include <napi.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "core/lanes.h"
#include "core/mailbox.h"
#include "core/system_error.h"

namespace hostbrick {

/** A SystemError as JavaScript sees it: Node's own shape, `errno` negative, `syscall`, `path`, and `detail` if any. */
Napi::Error to_javascript(Napi::Env env, const SystemError& failure);

/** The promise of a call that runs on a lane. Lives on the environment's thread. */
class PendingCall {
 public:
  explicit PendingCall(Napi::Env env) : deferred_(env), mailbox_(Mailbox::of(env)) { mailbox_->hold(env); }

  /** Hands out the promise's one chance to be settled: true the first time. */
  bool settle(Napi::Env env) {
    if (std::exchange(settled_, true)) return false;
    mailbox_->leave(number_);
    mailbox_->release(env);
    return true;
  }

  [[nodiscard]] bool settled() const { return settled_; }

  /** Has `give_up` called when JavaScript gives up the call of the number that this returns. */
  std::uint32_t enter(Mailbox::Message give_up) { return number_ = mailbox_->enter(std::move(give_up)); }

  [[nodiscard]] const Napi::Promise::Deferred& deferred() const { return deferred_; }
  [[nodiscard]] const std::shared_ptr<Mailbox>& mailbox() const { return mailbox_; }

 private:
  Napi::Promise::Deferred deferred_;
  std::shared_ptr<Mailbox> mailbox_;
  std::uint32_t number_ = 0;
  bool settled_ = false;
};

/**
 * { result, number }: the promise, and what `abandon` takes to reject it at once with ECANCELED and give the job up. To
 * make a function for each call would cost more than all the rest of it.
 */
Napi::Object call_object(Napi::Env env, const std::shared_ptr<PendingCall>& call, const std::shared_ptr<Job>& job);

/**
 * Starts `work` on a lane and returns its call object. `convert(env, result)` makes the JavaScript value, on the
 * environment's thread; without it the promise has no value. A result that comes after the call was given up is
 * destroyed, and with it whatever it owns.
 */
template <typename Work, typename Convert>
Napi::Object start_call(Napi::Env env, const std::string& lane, Work work, Convert convert,
                        std::function<void()> interrupt = {}) {
  using Result = std::invoke_result_t<Work>;
  struct Outcome {
    std::optional<Result> result;
    std::optional<SystemError> failure;
  };

  const auto call = std::make_shared<PendingCall>(env);
  auto run = [call, mailbox = call->mailbox(), work = std::move(work),
              convert = std::move(convert)]() mutable -> Job::Delivery {
    if (mailbox->closed()) return {};
    const auto outcome = std::make_shared<Outcome>();
    try {
      outcome->result.emplace(work());
    } catch (const SystemError& failure) {
      outcome->failure.emplace(failure);
    }
    return [mailbox, call, outcome, convert = std::move(convert)] {
      mailbox->post([call, outcome, convert](Napi::Env target) {
        if (!call->settle(target)) return;
        if (outcome->failure) {
          call->deferred().Reject(to_javascript(target, *outcome->failure).Value());
        } else {
          call->deferred().Resolve(convert(target, std::move(*outcome->result)));
        }
      });
    };
  };
  const auto job = std::make_shared<Job>(std::move(run), std::move(interrupt));
  try {
    Lanes::shared().post(lane, job);
  } catch (const SystemError& failure) {
    if (call->settle(env)) call->deferred().Reject(to_javascript(env, failure).Value());
  }
  return call_object(env, call, job);
}

/** As above, for work that has no result. */
template <typename Work>
Napi::Object start_call(Napi::Env env, const std::string& lane, Work work) {
  return start_call(
      env, lane,
      [work = std::move(work)]() mutable {
        work();
        return true;
      },
      [](Napi::Env target, bool) { return target.Undefined(); });
}

}  // namespace hostbrick
