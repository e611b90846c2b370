"""Generate C, the OpenAPI document and the reference from api/v1.

  python3 tools/codegen c SOURCE FOLDER      C files below FOLDER
  python3 tools/codegen openapi SOURCE       api/openapi/swagger.yaml on standard output
  python3 tools/codegen docs SOURCE FOLDER   FOLDER/api: the field reference, one file per kind;
                                             FOLDER/reference: error codes and limits
"""

import os
import sys

import c_tables
import c_types
import model as contract
import openapi
import reference
import tables


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def generate_c(source, folder):
    model = contract.load(source)
    from api.v1 import options_pb2  # pylint: disable=import-outside-toplevel
    format_name = options_pb2.Format.Name
    room = os.path.join(folder, "pkg/apis/swarm/v1")
    write(os.path.join(room, "types.h"), c_types.generate(model))
    write(os.path.join(room, "tables.c"), c_tables.generate_tables(model, format_name))
    write(os.path.join(room, "files.c"), c_tables.generate_files(model))
    write(os.path.join(folder, "spec_fields.txt"), c_tables.generate_spec_fields(model))


def print_openapi(source):
    model = contract.load(source)
    from api.v1 import options_pb2  # pylint: disable=import-outside-toplevel
    sys.stdout.write(openapi.generate(model, options_pb2.Format.Name, source))


def write_docs(source, folder):
    model = contract.load(source)
    from api.v1 import options_pb2  # pylint: disable=import-outside-toplevel
    for name, text in reference.generate(model, options_pb2.Format.Name).items():
        write(os.path.join(folder, "api", name), text)
    for name, text in tables.generate(source).items():
        write(os.path.join(folder, "reference", name), text)


def main(arguments):
    try:
        if len(arguments) == 3 and arguments[0] == "c":
            generate_c(arguments[1], arguments[2])
            return 0
        if len(arguments) == 2 and arguments[0] == "openapi":
            print_openapi(arguments[1])
            return 0
        if len(arguments) == 3 and arguments[0] == "docs":
            write_docs(arguments[1], arguments[2])
            return 0
    except contract.ContractError as error:
        print(f"codegen: {error}", file=sys.stderr)
        return 1
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main(sys.argv[1:]))
