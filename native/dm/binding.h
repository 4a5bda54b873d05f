#pragma once

#include <napi.h>

namespace hostbrick {

/** mapState, resumeMap(lane, name), messageMap(lane, name, message), removeMap(lane, name, whenClosed) */
void export_dm(Napi::Env env, Napi::Object exports);

}  // namespace hostbrick
