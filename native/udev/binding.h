#pragma once

#include <napi.h>

namespace hostbrick {

/** openMonitor(group, receive) -> {only(texts), close()} */
void export_udev(Napi::Env env, Napi::Object exports);

}  // namespace hostbrick
