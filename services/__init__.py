"""The services of the suite, and what starts them."""

import os

from libs.loopback import call_directly

# gRPC reads this when it is imported. With its fork support, one in ten forks beside running calls
# ends the child before its program begins; engines are forked, and exec at once, so need none.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
# numpy reads this one. Its threads would fight with those of inference and decoding: clustering
# takes a third of the time without them when something else runs (measured).
os.environ.setdefault("OMP_NUM_THREADS", "1")
call_directly()
