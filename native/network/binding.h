#pragma once

#include <napi.h>

namespace hostbrick {

/** resolveHost(host), connectAbstract(name), askAbstract(name, request, timeout) */
void export_network(Napi::Env env, Napi::Object exports);

}  // namespace hostbrick
