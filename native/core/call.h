#pragma once

#include <napi.h>

#include <cerrno>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "core/event.h"
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

  /** Has `give_up` called when JavaScript gives up the call, and the job abandoned when JavaScript ends. */
  void enter(std::shared_ptr<Job> job, Mailbox::Message give_up) {
    number_ = mailbox_->enter(std::move(job), std::move(give_up));
  }

  /** By which JavaScript knows the call; 0, which is nobody's, before it has been entered. */
  [[nodiscard]] std::uint32_t number() const { return number_; }

  [[nodiscard]] const Napi::Promise::Deferred& deferred() const { return deferred_; }
  [[nodiscard]] const std::shared_ptr<Mailbox>& mailbox() const { return mailbox_; }

 private:
  Napi::Promise::Deferred deferred_;
  std::shared_ptr<Mailbox> mailbox_;
  std::uint32_t number_ = 0;
  bool settled_ = false;
};

/**
 * { result, number }: the promise, and what `abandon` takes to reject it at once with ECANCELED and give the job up; 0
 * for a call that is settled already. To make a function for each call would cost more than all the rest of it.
 */
Napi::Object call_object(Napi::Env env, const std::shared_ptr<PendingCall>& call, const std::shared_ptr<Job>& job);

/** The call object of a call that has failed before there was a job. */
Napi::Object failed_call(Napi::Env env, const SystemError& failure);

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
    } catch (const std::bad_alloc&) {
      outcome->failure.emplace(ENOMEM, "malloc");
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

/**
 * As above, for `work(interrupt)` that ends early once `interrupt` is set, as it is when the call is given up. It waits
 * for no lock of the kernel's, but for somebody outside: its lane, whose name begins with `name`, is its own.
 */
template <typename Work, typename Convert>
Napi::Object start_interruptible_call(Napi::Env env, const std::string& name, Work work, Convert convert) {
  std::shared_ptr<Event> interrupt;
  try {
    interrupt = std::make_shared<Event>();
  } catch (const SystemError& failure) {
    return failed_call(env, failure);
  }
  const auto lane = name + ":" + std::to_string(interrupt->descriptor());
  return start_call(
      env, lane, [work = std::move(work), interrupt] { return work(std::as_const(*interrupt)); }, std::move(convert),
      [interrupt] { interrupt->set(); });
}

}  // namespace hostbrick
