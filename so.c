#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include "tflz.h"
int main(int c,char**v){(void)c;void*h=dlopen(v[2],RTLD_LAZY);
tflz_error(*ins)(const void*,size_t,size_t,tflz_info*)=dlsym(h,"tflz_inspect");tflz_error(*dec)(ZSTD_DCtx*,void*,size_t,const void*,size_t,void*,size_t)=dlsym(h,"tflz_decode");ZSTD_DCtx*(*mk)(void)=dlsym(h,"ZSTD_createDCtx");
FILE*f=fopen(v[1],"rb");unsigned char*b=malloc(1<<22);size_t n=fread(b,1,1<<22,f);tflz_info i;printf("%d\n",ins(b,n,256u<<20,&i));
void*o=malloc(i.output_size+1),*w=malloc(i.workspace_size+1);printf("%d\n",dec(mk(),o,i.output_size,b,n,w,i.workspace_size));}
