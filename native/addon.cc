#include <napi.h>

#include "block/binding.h"
#include "core/lanes.h"
#include "core/mailbox.h"
#include "dm/binding.h"
#include "files/binding.h"
#include "host/binding.h"
#include "iscsi/binding.h"
#include "network/binding.h"
#include "nvme/binding.h"
#include "process/binding.h"
#include "scsi/binding.h"
#include "sysfs/binding.h"
#include "udev/binding.h"

namespace {

// laneStatistics(): { threads, queued, running, parked } of this process.
Napi::Value lane_statistics(const Napi::CallbackInfo& info) {
  const auto statistics = hostbrick::Lanes::shared().statistics();
  auto object = Napi::Object::New(info.Env());
  object.Set("threads", static_cast<double>(statistics.threads));
  object.Set("queued", static_cast<double>(statistics.queued));
  object.Set("running", static_cast<double>(statistics.running));
  object.Set("parked", static_cast<double>(statistics.parked));
  return object;
}

// abandon(number): gives up a call that has not been settled yet.
void abandon(const Napi::CallbackInfo& info) {
  hostbrick::Mailbox::of(info.Env())->give_up(info.Env(), info[0].As<Napi::Number>().Uint32Value());
}

Napi::Object export_all(Napi::Env env, Napi::Object exports) {
  hostbrick::export_block(env, exports);
  hostbrick::export_dm(env, exports);
  hostbrick::export_files(env, exports);
  hostbrick::export_host(env, exports);
  hostbrick::export_iscsi(env, exports);
  hostbrick::export_network(env, exports);
  hostbrick::export_nvme(env, exports);
  hostbrick::export_process(env, exports);
  hostbrick::export_scsi(env, exports);
  hostbrick::export_sysfs(env, exports);
  hostbrick::export_udev(env, exports);
  exports.Set("abandon", Napi::Function::New(env, abandon, "abandon"));
  exports.Set("laneStatistics", Napi::Function::New(env, lane_statistics, "laneStatistics"));
  return exports;
}

}  // namespace

NODE_API_MODULE(hostbrick, export_all)
