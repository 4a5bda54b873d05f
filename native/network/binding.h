#pragma once

#include <napi.h>

namespace hostbrick {

/** resolveHost(host), probePort(address, port, source, interface), exchange(listeners, request, answer),
 * askAbstract(name, request, timeout) */
void export_network(Napi::Env env, Napi::Object exports);

}  // namespace hostbrick
