#pragma once

#include <napi.h>

namespace hostbrick {

/** inquirePage(lane, device, page, timeout), inquire, reportLuns, readCapacity(lane, device, timeout) */
void export_scsi(Napi::Env env, Napi::Object exports);

}  // namespace hostbrick
