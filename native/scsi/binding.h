#pragma once

#include <napi.h>

namespace hostbrick {

/** identify, reportLuns, readCapacity(lane, device, timeout), designatorsIfRunning(lane, device, state, timeout) */
void export_scsi(Napi::Env env, Napi::Object exports);

}  // namespace hostbrick
