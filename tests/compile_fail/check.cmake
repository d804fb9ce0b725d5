# Compiles a source that must not compile, and looks for the message that its first line promises:
#   // expects: <text>
#   cmake -D SOURCE=file.cpp -D COMPILER=... -D "FLAGS=..." -P check.cmake

file(STRINGS ${SOURCE} first LIMIT_COUNT 1)
string(REGEX REPLACE "^// expects: " "" expected "${first}")
if(expected STREQUAL first)
  message(FATAL_ERROR "${SOURCE}: the first line must be '// expects: <text>'")
endif()
separate_arguments(flags UNIX_COMMAND "${FLAGS}")
execute_process(COMMAND ${COMPILER} ${flags} -fsyntax-only ${SOURCE} RESULT_VARIABLE result OUTPUT_VARIABLE output
  ERROR_VARIABLE output)
if(result EQUAL 0)
  message(FATAL_ERROR "${SOURCE} compiles, and must not")
endif()
string(FIND "${output}" "${expected}" at)
if(at EQUAL -1)
  message(FATAL_ERROR "${SOURCE}: '${expected}' is not in what the compiler says:\n${output}")
endif()
