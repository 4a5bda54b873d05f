#pragma once

#include <napi.h>

namespace hostbrick {

/**
 * fabricsOptions(lane), connectFabrics(lane, options), identifyNvme(lane, device, cns, namespaceId, timeout),
 * nvmeLogPage(lane, device, page, timeout), rescanController(lane, device)
 */
void export_nvme(Napi::Env env, Napi::Object exports);

}  // namespace hostbrick
