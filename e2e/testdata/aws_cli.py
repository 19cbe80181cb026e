"""The AWS CLI, one command after another in one interpreter: starting it takes longer than most of its commands.

Each line of the input is a JSON array of arguments; each line of the output is a JSON object with the exit code and
with what the command printed on both streams.
"""

import contextlib
import io
import json
import sys

from awscli.clidriver import create_clidriver

driver, answers = create_clidriver(), sys.stdout
for line in sys.stdin:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            code = driver.main(json.loads(line))
        except SystemExit as e:
            code = e.code
    print(json.dumps({"code": code or 0, "out": printed.getvalue()}), file=answers, flush=True)
