#pragma once

#include <napi.h>

namespace hostbrick {

/**
 * deviceFacts, flushDevice, heldExclusively, readFirstBlock: each (lane, path)
 * readDevice(lane, path, offset, length)
 */
void export_block(Napi::Env env, Napi::Object exports);

}  // namespace hostbrick
