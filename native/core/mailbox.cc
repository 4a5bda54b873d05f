#include "core/mailbox.h"

#include <utility>

namespace hostbrick {

std::shared_ptr<Mailbox> Mailbox::of(Napi::Env env) {
  using Slot = std::shared_ptr<Mailbox>;
  if (auto* const existing = env.GetInstanceData<Slot>()) return *existing;

  auto mailbox = std::make_shared<Mailbox>();
  // The queue's finalizer runs while the environment is torn down, before Node frees the queue: closing under the
  // mutex there means that no thread can be inside post() with a queue that has gone.
  mailbox->queue_ =
      Queue::New(env, "hostbrick", 0, 1, mailbox.get(), [mailbox](Napi::Env, void*, Mailbox*) { mailbox->close(); });
  mailbox->queue_.Unref(env);
  env.SetInstanceData(new Slot(mailbox));
  return mailbox;
}

void Mailbox::close() {
  decltype(calls_) calls;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    calls.swap(calls_);
  }
  // Nobody is there to settle a promise for, but what runs for nobody is to end: a program, an exchange.
  for (const auto& [number, call] : calls) Lanes::shared().abandon(call.job);
}

void Mailbox::post(Message message) {
  auto owned = std::make_unique<Message>(std::move(message));
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  if (queue_.NonBlockingCall(owned.get()) == napi_ok) {
    (void)owned.release();
  } else {
    closed_ = true;
  }
}

bool Mailbox::closed() {
  const std::lock_guard lock(mutex_);
  return closed_;
}

void Mailbox::hold(Napi::Env env) {
  if (holders_++ == 0) queue_.Ref(env);
}

void Mailbox::release(Napi::Env env) {
  if (--holders_ == 0) queue_.Unref(env);
}

std::uint32_t Mailbox::enter(std::shared_ptr<Job> job, Message give_up) {
  // A number is free again long before all have been given.
  if (++last_number_ == 0) ++last_number_;
  calls_.insert_or_assign(last_number_, Call{std::move(job), std::move(give_up)});
  return last_number_;
}

void Mailbox::give_up(Napi::Env env, std::uint32_t number) {
  if (const auto found = calls_.extract(number)) found.mapped().give_up(env);
}

void Mailbox::deliver(Napi::Env env, Napi::Function, Mailbox*, Message* message) {
  const std::unique_ptr<Message> owned(message);
  if (env != nullptr) (*owned)(env);
}

}  // namespace hostbrick
