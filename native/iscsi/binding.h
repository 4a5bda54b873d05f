#pragma once

#include <napi.h>

namespace hostbrick {

/** openSessionMonitor(receive) */
void export_iscsi(Napi::Env env, Napi::Object exports);

}  // namespace hostbrick
