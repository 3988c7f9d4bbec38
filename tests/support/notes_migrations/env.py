from libs.db.migrate import run_env
from tests.support.notes import METADATA

run_env(METADATA)
