#pragma once

#include <napi.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "core/lanes.h"

namespace hostbrick {

/**
 * Brings messages from any thread to one JavaScript environment (the main thread's or a worker's), for as long as that
 * lives. Threads share it; the environment's end closes it, whoever still holds it.
 */
class Mailbox {
 public:
  using Message = std::function<void(Napi::Env)>;

  /** The environment's own mailbox. */
  static std::shared_ptr<Mailbox> of(Napi::Env env);

  /** From any thread. The message is dropped, unread, when the environment has gone. */
  void post(Message message);

  /** From any thread: whether nobody is there to read any more. */
  [[nodiscard]] bool closed();

  /** On the environment's thread: while held, the mailbox keeps its event loop alive. */
  void hold(Napi::Env env);
  void release(Napi::Env env);

  /**
   * On the environment's thread: a call's job and what gives the call up, under a number, never 0, by which JavaScript
   * knows it until it is settled. The jobs of those that are not settled by the environment's end are abandoned.
   */
  std::uint32_t enter(std::shared_ptr<Job> job, Message give_up);
  void leave(std::uint32_t number) { calls_.erase(number); }
  void give_up(Napi::Env env, std::uint32_t number);

 private:
  struct Call {
    std::shared_ptr<Job> job;
    Message give_up;
  };

  void close();
  static void deliver(Napi::Env env, Napi::Function callback, Mailbox* mailbox, Message* message);
  using Queue = Napi::TypedThreadSafeFunction<Mailbox, Message, deliver>;

  std::mutex mutex_;
  Queue queue_;
  bool closed_ = false;
  std::size_t holders_ = 0;
  std::uint32_t last_number_ = 0;
  std::unordered_map<std::uint32_t, Call> calls_;
};

}  // namespace hostbrick
