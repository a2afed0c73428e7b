# Bundles the web page and writes web_files.cpp: cmake -DSOURCE= -DTEMPLATE= -DOUTPUT= -DESBUILD= -DGZIP= -P pack_web.cmake.
# The same sources give the same bytes: names and ETags are hashes of contents, gzip notes neither name nor time.
cmake_minimum_required(VERSION 3.25)
set(stage ${OUTPUT}/stage)
set(bundle ${OUTPUT}/bundle)
file(REMOVE_RECURSE ${stage} ${bundle})
file(MAKE_DIRECTORY ${stage}/fonts ${bundle})

# KaTeX's style with its fonts in the one form that every browser of today reads.
file(READ /usr/share/javascript/katex/katex.min.css katex)
string(REGEX REPLACE ",url\\([^)]*\\.(woff|ttf)\\) format\\(['\"][a-z]+['\"]\\)" "" katex "${katex}")
file(WRITE ${stage}/katex.css "${katex}")
file(GLOB fonts /usr/share/fonts/truetype/katex/*.woff2)
file(COPY_FILE ${SOURCE}/../../NOTICE ${stage}/notice.txt)
file(COPY ${fonts} DESTINATION ${stage}/fonts)

# Debian 12's DOMPurify (2.4.1 deb12u1) has a test of nesting depth at the wrong place, where its variable is unknown: every
# call throws. It belongs to the walk over templates; of a package without the fault nothing is changed.
file(READ /usr/share/nodejs/dompurify/dist/purify.es.js purify)
set(test "if (shadowNode.__depth >= MAX_NESTING_DEPTH")
string(REPLACE "${test} || numberIsNaN(shadowNode.__depth)) {\n      _forceRemove(body.firstChild);\n    }" "" mended "${purify}")
if(NOT mended STREQUAL purify)
  string(REPLACE "${test}) {" "${test} || numberIsNaN(shadowNode.__depth)) {" mended "${mended}")
endif()
file(WRITE ${stage}/purify.js "${mended}")

execute_process(
  COMMAND ${CMAKE_COMMAND} -E env NODE_PATH=/usr/share/nodejs ${ESBUILD}
    ${SOURCE}/main.ts ${SOURCE}/early.ts ${SOURCE}/style.css ${SOURCE}/icon.svg
    --bundle --minify --target=es2020 --format=iife --charset=utf8 --legal-comments=eof --log-level=warning
    --outdir=${bundle} --entry-names=[name]-[hash] --asset-names=[name]-[hash]
    --loader:.woff2=file --loader:.txt=file --loader:.svg=copy
    --alias:katex=/usr/share/javascript/katex/katex.mjs --alias:marked=/usr/share/javascript/marked/marked.umd.js
    --alias:notice.txt=${stage}/notice.txt --alias:dompurify=${stage}/purify.js --alias:katex.css=${stage}/katex.css
  WORKING_DIRECTORY ${SOURCE} RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "esbuild failed")
endif()

# The page names the files.
file(READ ${SOURCE}/index.html page)
foreach(entry main:js early:js style:css icon:svg)
  string(REPLACE ":" ";" entry ${entry})
  list(GET entry 0 stem)
  list(GET entry 1 suffix)
  file(GLOB found RELATIVE ${bundle} ${bundle}/${stem}-*.${suffix})
  string(REPLACE "{${stem}.${suffix}}" "web/${found}" page "${page}")
endforeach()
file(WRITE ${bundle}/index.html "${page}")

set(type_html "text/html; charset=utf-8")
set(type_js "text/javascript; charset=utf-8")
set(type_css "text/css; charset=utf-8")
set(type_svg "image/svg+xml")
set(type_txt "text/plain; charset=utf-8")
set(type_woff2 "font/woff2")
set(COUNT 0)
file(GLOB files RELATIVE ${bundle} ${bundle}/*)
list(SORT files)
foreach(file ${files})
  string(REGEX REPLACE ".*\\." "" suffix ${file})
  file(SHA256 ${bundle}/${file} hash)
  string(SUBSTRING ${hash} 0 24 hash)
  set(path ${bundle}/${file})
  set(is_gzip false)
  if(NOT suffix STREQUAL woff2)
    execute_process(COMMAND ${GZIP} -9 -n -c ${path} OUTPUT_FILE ${stage}/${file}.gz COMMAND_ERROR_IS_FATAL ANY)
    set(path ${stage}/${file}.gz)
    set(is_gzip true)
  endif()
  set(name ${file})
  if(file STREQUAL index.html)
    set(name "")
  endif()
  set(symbol glint_web_${COUNT})
  string(APPEND ASSEMBLY "__asm__(\".section .rodata\\n${symbol}_begin:\\n.incbin \\\"${path}\\\"\\n${symbol}_end:\\n.byte 0\\n.previous\\n\");\n")
  string(APPEND DECLARATIONS "extern \"C\" const char ${symbol}_begin[], ${symbol}_end[];\n")
  string(APPEND ROWS "    {\"${name}\", \"${type_${suffix}}\", \"\\\"${hash}\\\"\", between(${symbol}_begin, ${symbol}_end), ${is_gzip}},\n")
  math(EXPR COUNT "${COUNT} + 1")
endforeach()
configure_file(${TEMPLATE} ${OUTPUT}/web_files.cpp @ONLY)
