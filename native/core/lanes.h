#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace hostbrick {

/** One blocking call, to be run once on a thread of ours. */
class Job {
 public:
  /** Tells the result to whoever waits for it; called when the lane is free again and the statistics say so. */
  using Delivery = std::function<void()>;

  /** `interrupt`, if any, asks a running `work` to end early; it is called from another thread and must not block. */
  explicit Job(std::function<Delivery()> work, std::function<void()> interrupt = {})
      : work_(std::move(work)), interrupt_(std::move(interrupt)) {}

 private:
  friend class Lanes;
  enum class State { queued, running, abandoned, finished };

  std::function<Delivery()> work_;
  std::function<void()> interrupt_;
  State state_ = State::queued;
};

/**
 * Runs blocking calls on threads of our own, never on libuv's.
 *
 * Calls that wait for the same kernel lock (a SCSI host's scan mutex, a block device) share a lane and run one after
 * the other; lanes run side by side. A call that its caller gave up keeps its thread, and its lane, until the kernel
 * lets go of it: it is counted as parked. No thread is ever joined, so that a call stuck in the kernel holds up neither
 * the process's exit nor a worker's.
 */
class Lanes {
 public:
  struct Statistics {
    std::size_t threads;  ///< alive, idle ones included
    std::size_t queued;   ///< calls that wait for their lane
    std::size_t running;  ///< calls in the kernel that somebody waits for
    std::size_t parked;   ///< calls in the kernel that their caller gave up
  };

  /** The lanes of this process: kernel locks know no JavaScript environments. Never destroyed, see above. */
  static Lanes& shared();

  /** Queues the job. Throws SystemError when no thread can be started for it. */
  void post(const std::string& lane, std::shared_ptr<Job> job);

  /** A queued job never runs, and lets go of what it holds; a running one is interrupted, if it can be, and parked. */
  void abandon(const std::shared_ptr<Job>& job);

  [[nodiscard]] Statistics statistics();

 private:
  struct Lane {
    std::deque<std::shared_ptr<Job>> jobs;
    bool busy = false;
  };

  void start_thread();
  void serve();
  void run_next(std::unique_lock<std::mutex>& lock);

  std::mutex mutex_;
  std::condition_variable work_;
  std::unordered_map<std::string, Lane> lanes_;
  std::deque<std::string> ready_;  ///< lanes with a job and no thread
  std::size_t threads_ = 0;
  std::size_t idle_ = 0;
  std::size_t queued_ = 0;
  std::size_t running_ = 0;
  std::size_t parked_ = 0;
};

}  // namespace hostbrick
