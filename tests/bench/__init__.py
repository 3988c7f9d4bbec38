import os

# gRPC reads this when it is imported. Benchmarks start processes while their own calls are open,
# and with its fork support some of these end before their programs begin.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
