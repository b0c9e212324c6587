"""Runs the steps of action.yml as GitHub's runner does, as far as a composite action can tell.

    python3 action.py ACTION SCENE

SCENE is a JSON object: `inputs`, `env` (variables of the step that uses the action), `workspace`, `temp`, and `cancel`
({"step": NAME, "when": FILE}: the job is cancelled when that file appears while that step runs). It prints one JSON object: the
outcome of the action and of each step, the outputs, what the steps printed, the annotations, the summary, the path.

Of the runner it plays: inputs with defaults, `${{ }}` in `env`, `if` and `value`, bash's options, the files of
GITHUB_OUTPUT, GITHUB_ENV, GITHUB_PATH and GITHUB_STEP_SUMMARY, commands in what is printed and `stop-commands`, SIGINT, SIGTERM and
SIGKILL to the step's first process when the job is cancelled. An expression in a script is an error here.
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

import yaml

EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}", re.S)


class Scene:
    def __init__(self, action, scene):
        self.action, self.scene = action, scene
        declared = action["inputs"]
        unknown = set(scene["inputs"]) - set(declared)
        assert not unknown, f"no such inputs: {unknown}"
        self.inputs = {name: str(scene["inputs"].get(name, row.get("default", ""))) for name, row in declared.items()}
        self.steps, self.path, self.more_env = {}, [], {}
        self.told = {"steps": [], "printed": "", "annotations": [], "masks": []}
        self.status = "success"
        self.summary = ""

    def value(self, name):
        """The value of `inputs.a` or `steps.a.outputs.b`; empty where there is none."""
        words = name.split(".")
        if words[0] == "inputs":
            return self.inputs[words[1]]
        assert words[0] == "steps" and words[2] in ("outputs", "outcome"), name
        step = self.steps.get(words[1], {"outputs": {}, "outcome": ""})
        return step["outputs"].get(words[3], "") if words[2] == "outputs" else step["outcome"]

    def expand(self, text):
        return EXPRESSION.sub(lambda found: self.value(found.group(1)), text)

    def is_wanted(self, condition):
        """`a && b && …` of always(), success(), failure(), cancelled() and comparisons with a text."""
        wanted, has_function = True, False
        for part in (condition or "success()").split("&&"):
            part = part.strip()
            if part.endswith("()"):
                has_function = True
                wanted &= part == "always()" or part[:-2] == {"success": "success", "failed": "failure"}.get(self.status, self.status)
            else:
                name, relation, text = re.fullmatch(r"([\w.-]+) (==|!=) '(.*)'", part).groups()
                wanted &= (self.value(name) == text) == (relation == "==")
        return wanted and (has_function or self.status == "success")

    def files(self, index):
        folder = os.path.join(self.scene["temp"], "_runner_file_commands")
        os.makedirs(folder, exist_ok=True)
        files = {name: os.path.join(folder, f"{name}_{index}") for name in ("output", "env", "path", "step_summary", "state")}
        for path in files.values():
            open(path, "w").close()
        return files

    def run(self, index, step):
        assert not EXPRESSION.search(step["run"]), f"{step['name']}: an expression in a script"
        assert step["shell"] == "bash"
        files = self.files(index)
        script = os.path.join(self.scene["temp"], f"script-{index}.sh")
        with open(script, "w") as out:
            out.write(step["run"])
        env = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "CI": "true", "GITHUB_ACTIONS": "true",
               "GITHUB_RUN_ID": "42", "GITHUB_ACTION_PATH": os.path.dirname(os.path.abspath(sys.argv[1])),
               "GITHUB_WORKSPACE": self.scene["workspace"], "RUNNER_TEMP": self.scene["temp"]}
        env.update(self.scene.get("env", {}), **self.more_env)
        env.update({name: self.expand(str(text)) for name, text in step.get("env", {}).items()})
        env.update({f"GITHUB_{name.upper()}": path for name, path in files.items()})
        env["PATH"] = os.pathsep.join([*reversed(self.path), env["PATH"]])
        process = subprocess.Popen(["bash", "--noprofile", "--norc", "-eo", "pipefail", script], env=env,
                                   cwd=self.scene["workspace"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, errors="replace")
        cancel = self.scene.get("cancel")
        is_cancelled = []
        if cancel and cancel["step"] == step["name"]:
            threading.Thread(target=self.cancel, args=(process, cancel["when"], is_cancelled), daemon=True).start()
        outputs = self.read_lines(process)
        outcome = "success" if process.wait() == 0 else "failure"
        if is_cancelled:
            outcome = "cancelled"
        outputs.update(pairs(files["output"]))
        self.more_env.update(pairs(files["env"]))
        self.path += open(files["path"]).read().split("\n")[:-1]
        self.summary += open(files["step_summary"]).read()
        return outcome, outputs

    @staticmethod
    def cancel(process, when, is_cancelled):
        while not os.path.exists(when):
            time.sleep(0.02)
        is_cancelled.append(True)
        for number, patience in ((signal.SIGINT, 7.5), (signal.SIGTERM, 2.5), (signal.SIGKILL, 60)):
            process.send_signal(number)
            try:
                process.wait(patience)
                return
            except subprocess.TimeoutExpired:
                pass

    def read_lines(self, process):
        outputs, stopped = {}, None
        for line in process.stdout:
            self.told["printed"] += line
            # The runner's older form counts anywhere in a line.
            found = re.match(r"\s*::([\w-]+)(?: (.*?))?::(.*)", line.rstrip("\n")) or re.search(
                r"##\[([\w-]+)(?: (.*?))?\](.*)", line.rstrip("\n"))
            if not found:
                continue
            command, properties, data = found.groups()
            if stopped is not None:
                stopped = None if command == stopped else stopped
            elif command == "stop-commands":
                stopped = data
            elif command == "set-output":
                outputs[properties.split("name=")[1]] = data
            elif command == "add-mask":
                self.told["masks"].append(data)
            else:
                self.told["annotations"].append(f"{command}: {data}")
        return outputs

    def all(self):
        for index, step in enumerate(self.action["runs"]["steps"]):
            outcome, outputs = "skipped", {}
            if self.is_wanted(step.get("if")):
                outcome, outputs = self.run(index, step)
                if outcome in ("failure", "cancelled") and self.status == "success":
                    self.status = {"failure": "failed"}.get(outcome, outcome)
            self.told["steps"].append([step["name"], outcome])
            if "id" in step:
                self.steps[step["id"]] = {"outputs": outputs, "outcome": outcome}
        outputs = {name: self.expand(row["value"]) for name, row in self.action["outputs"].items()}
        return {"status": self.status, "outputs": outputs, "summary": self.summary, "path": self.path,
                "env": self.more_env, **self.told}


def pairs(path):
    """`name=value`, and `name<<END` with lines up to END."""
    found, lines = {}, iter(open(path).read().split("\n"))
    for line in lines:
        many = re.fullmatch(r"([^=<]+)<<(.+)", line)
        if many:
            value = []
            for line in lines:
                if line == many.group(2):
                    break
                value.append(line)
            else:
                raise ValueError(f"{path}: no end of {many.group(1)}")
            found[many.group(1)] = "\n".join(value)
        elif line:
            name, value = line.split("=", 1)
            found[name] = value
    return found


if __name__ == "__main__":
    with open(sys.argv[1]) as text:
        action = yaml.safe_load(text)
    with open(sys.argv[2]) as text:
        scene = json.load(text)
    print(json.dumps(Scene(action, scene).all(), indent=1))
