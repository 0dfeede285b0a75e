#pragma once

// rondo: collective communication. This header includes the C++ API and declares nothing.

#include "rondo/communicator.hpp"
#include "rondo/cuda.hpp"
#include "rondo/error.hpp"
#include "rondo/memory.hpp"
#include "rondo/out_of_band.hpp"
#include "rondo/persistent.hpp"
#include "rondo/schedule.hpp"
#include "rondo/topology.hpp"
#include "rondo/transport.hpp"
#include "rondo/types.hpp"
#include "rondo/work.hpp"
