#!/usr/bin/env python3
"""Holds Kubernetes objects against their schemas, strictly: a field that a kind does not have is a fault.

    validate.py [--definitions FILE]... NAME=FILE...

Each FILE holds YAML documents; NAME is what faults call it. --definitions names files of CustomResourceDefinitions. A line
for each fault on the standard output, and exit code 1 if there is any. Kinds without a schema are faults, but for those of
UNKNOWN.
"""

import importlib
import sys

import celpy
import jsonschema
import kubernetes_validate
import yaml

VERSION = "1.37"
# Kinds whose schemas come in Python packages: their module and class.
MODELS = {
    ("keda.sh/v1alpha1", "ScaledObject"): ("cloudcoil.models.keda.v1alpha1", "ScaledObject"),
    ("monitoring.coreos.com/v1", "PrometheusRule"): ("cloudcoil.models.prometheus_operator.v1", "PrometheusRule"),
    ("monitoring.coreos.com/v1", "ServiceMonitor"): ("cloudcoil.models.prometheus_operator.v1", "ServiceMonitor"),
}
# Kinds that no package at hand has a schema of.
UNKNOWN = {
    ("autoscaling.k8s.io/v1", "VerticalPodAutoscaler"),
    ("cert-manager.io/v1", "Issuer"),
    ("cert-manager.io/v1", "Certificate"),
}


def closed(schema):
    """The schema of a definition with its objects closed: no other properties than those that it names."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: closed(value) for key, value in schema.items()}
    open_ended = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if "properties" in schema and isinstance(schema["properties"], dict) and not open_ended:
        schema["additionalProperties"] = False
    return schema


def definitions(paths):
    """(apiVersion, kind) -> schema, of every CustomResourceDefinition."""
    found = {}
    for path in paths:
        with open(path, encoding="utf-8") as file:
            for document in filter(None, yaml.safe_load_all(file)):
                spec = document["spec"]
                for version in spec["versions"]:
                    schema = closed(version["schema"]["openAPIV3Schema"])
                    # Kubernetes itself knows what stands in these.
                    schema["properties"].update({"apiVersion": {}, "kind": {}, "metadata": {}})
                    found[(spec["group"] + "/" + version["name"], spec["names"]["kind"])] = schema
    return found


def unknown_fields(given, read, path):
    """The fields of an object that a model, written out again, does not have."""
    if isinstance(given, dict) and isinstance(read, dict):
        for key, value in given.items():
            if key not in read:
                yield path + "." + key
            else:
                yield from unknown_fields(value, read[key], path + "." + key)
    elif isinstance(given, list) and isinstance(read, list):
        for at, (one, other) in enumerate(zip(given, read)):
            yield from unknown_fields(one, other, "%s[%d]" % (path, at))


def rules(schema, value, path=""):
    """The rules in CEL that do not hold of a value."""
    if isinstance(value, dict):
        for rule in schema.get("x-kubernetes-validations", ()):
            environment = celpy.Environment()
            program = environment.program(environment.compile(rule["rule"]))
            if not program.evaluate({"self": celpy.json_to_cel(value)}):
                yield "%s: %s" % (path, rule["message"])
        for key, inner in value.items():
            below = schema.get("properties", {}).get(key) or schema.get("additionalProperties")
            if isinstance(below, dict):
                yield from rules(below, inner, path + "." + key)
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from rules(schema.get("items", {}), inner, "%s[%d]" % (path, at))


def faults(document, custom):
    kind = (document.get("apiVersion"), document.get("kind"))
    if kind in UNKNOWN:
        return
    if kind in custom:
        validator = jsonschema.Draft202012Validator(custom[kind])
        for error in validator.iter_errors(document):
            yield "%s: %s" % ("/".join(map(str, error.path)), error.message)
        # Kubernetes asks them of what the schema lets through.
        if kind[0].startswith("overspill.dev/") and validator.is_valid(document):
            yield from rules(custom[kind], document)
        return
    if kind in MODELS:
        module, name = MODELS[kind]
        try:
            read = getattr(importlib.import_module(module), name).model_validate(document)
        except Exception as error:  # pydantic's own text says what and where
            yield str(error)
            return
        written = read.model_dump(by_alias=True, exclude_unset=True, mode="json")
        for field in unknown_fields(document["spec"], written["spec"], "spec"):
            yield "%s is no field of %s" % (field, name)
        return
    try:
        kubernetes_validate.validate(document, VERSION, strict=True)
    except kubernetes_validate.ValidationError as error:
        yield "%s: %s" % ("/".join(map(str, error.path)), error.message)
    except kubernetes_validate.SchemaNotFoundError as error:
        yield error.message


def main(arguments):
    paths = []
    while arguments[:1] == ["--definitions"]:
        paths.append(arguments[1])
        arguments = arguments[2:]
    custom = definitions(paths)
    failed = seen = 0
    for argument in arguments:
        name, path = argument.split("=", 1)
        with open(path, encoding="utf-8") as file:
            for document in filter(None, yaml.safe_load_all(file)):
                seen += 1
                for fault in faults(document, custom):
                    failed += 1
                    where = "%s %s" % (document.get("kind"), document.get("metadata", {}).get("name"))
                    print("%s: %s: %s" % (name, where, fault))
    print("%d objects, %d faults" % (seen, failed))
    return 1 if failed or not seen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
