# Tests that run programs: Python scripts that compare glint with reference implementations. A script that lacks what it
# needs (an interpreter, a module, a model) says so and exits with 77, which CTest counts as skipped.
if(EXISTS ${CMAKE_SOURCE_DIR}/.venv/bin/python)
  set(default_python ${CMAKE_SOURCE_DIR}/.venv/bin/python)
else()
  set(default_python python3)
endif()
set(GLINT_TEST_PYTHON ${default_python} CACHE STRING "Python interpreter with the reference implementations")

# glint_script_test(name script arguments...): a test that runs tests/integration/<script>.
function(glint_script_test name script)
  add_test(NAME integration.${name}
    COMMAND sh -c "command -v \"$0\" >/dev/null || { echo \"no $0\"; exit 77; }; exec \"$0\" \"$@\""
      ${GLINT_TEST_PYTHON} ${CMAKE_SOURCE_DIR}/tests/integration/${script} ${ARGN})
  # The same answers on every machine: a card would be taken by itself.
  set_tests_properties(integration.${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600 ENVIRONMENT LLAMA_ARG_DEVICE=none)
endfunction()

glint_script_test(jinja_differential jinja_differential_test.py $<TARGET_FILE:glint> ${GLINT_SHARED})
glint_script_test(cli cli_test.py $<TARGET_FILE:glint> ${GLINT_SHARED})
glint_script_test(bench bench_test.py $<TARGET_FILE:glint>)
glint_script_test(perplexity perplexity_test.py $<TARGET_FILE:glint> ${CMAKE_SOURCE_DIR}/.cache/smollm2.gguf)
glint_script_test(smollm2 smollm2_test.py $<TARGET_FILE:glint> ${CMAKE_SOURCE_DIR}/.cache/smollm2.gguf)
glint_script_test(glm glm_test.py $<TARGET_FILE:glint> ${GLINT_SHARED})
glint_script_test(chat chat_test.py $<TARGET_FILE:glint>)
glint_script_test(constraint constraint_test.py $<TARGET_FILE:glint>)
glint_script_test(json_schema_suite json_schema_suite_test.py $<TARGET_FILE:grammar_probe> ${CMAKE_SOURCE_DIR}/.cache/json-schema-suite)
# Five texts a schema; `json_schema_random_test.py PROBE 2500 SEED` is the long run.
glint_script_test(json_schema_random json_schema_random_test.py $<TARGET_FILE:grammar_probe> 80)
# Too long under sanitizers, and about speed-critical paths that other tests cover there.
set_tests_properties(integration.perplexity integration.smollm2 integration.jinja_differential integration.glm PROPERTIES LABELS slow)
glint_script_test(serve serve_test.py $<TARGET_FILE:glint>)
glint_script_test(clients ../clients/clients_test.py $<TARGET_FILE:glint>)
glint_script_test(openapi openapi_test.py $<TARGET_FILE:glint>)
# `soak_test.py GLINT 7200 16` is the long run.
glint_script_test(soak soak_test.py $<TARGET_FILE:glint>)
set_tests_properties(integration.serve integration.clients integration.openapi integration.soak PROPERTIES LABELS slow)
# Of a build for Hopper, which the compiler's fault is known for.
if(GLINT_HAS_CUDA AND GLINT_CUDA_ARCHITECTURES MATCHES "90")
  glint_script_test(cuda_sass ../../tools/check_sass.py ${CMAKE_BINARY_DIR})
endif()

# The web page: its types, and itself in a browser; Debian's Selenium belongs to Debian's Python.
if(TARGET web_page_files)
  find_program(GLINT_TSC tsc)
  if(GLINT_TSC)
    add_test(NAME integration.web_types COMMAND ${GLINT_TSC} -p ${CMAKE_SOURCE_DIR}/web/src)
  endif()
  add_test(NAME integration.web COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/integration/web_test.py
    $<TARGET_FILE:glint> ${CMAKE_BINARY_DIR}/web/pictures)
  set_tests_properties(integration.web PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600 ENVIRONMENT LLAMA_ARG_DEVICE=none LABELS slow)
endif()
