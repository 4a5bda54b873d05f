#pragma once

#include <napi.h>

namespace hostbrick {

/** resolveHost(host) */
void export_network(Napi::Env env, Napi::Object exports);

}  // namespace hostbrick
