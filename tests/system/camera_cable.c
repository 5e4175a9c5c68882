/* A GenTL producer that stands before another one, so that a test can pull a camera's cable and put it back.
 *
 * Every call goes on to the producer that CABLE_PRODUCER names. While there is a file CABLE_FOLDER/<device id>, that
 * device is one whose cable was pulled: no list names it, it cannot be opened, no register of it answers and no buffer
 * of it comes. Names, numbers of arguments and error codes are those of the GenTL standard 1.6 (EMVA). */
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS = 0, NOT_IMPLEMENTED = -1003, NOT_AVAILABLE = -1014, IO = -1010, TIMEOUT = -1011, INVALID_INDEX = -1017 };

typedef intptr_t word; /* every argument of GenTL is an integer or a pointer, and no function has more than seven */
typedef int32_t call(word, word, word, word, word, word, word);

static call *real(const char *name) {
    static void *producer;
    if (!producer)
        producer = dlopen(getenv("CABLE_PRODUCER"), RTLD_NOW | RTLD_LOCAL);
    return producer ? (call *)dlsym(producer, name) : NULL;
}

#define GO_ON(name) (real(#name) ? real(#name)(a, b, c, d, e, f, g) : NOT_IMPLEMENTED)
#define CALL(name) int32_t name(word a, word b, word c, word d, word e, word f, word g)
#define FORWARDED(name) CALL(name) { return GO_ON(name); }

/* Which device a handle belongs to: the device itself, its port, its streams and their events. */

static struct { word handle; char device[128]; } owned[256];
static int owned_count;
static pthread_mutex_t owned_lock = PTHREAD_MUTEX_INITIALIZER;

static int is_pulled(const char *device) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", getenv("CABLE_FOLDER"), device);
    return *device && access(path, F_OK) == 0;
}

static void device_of(word handle, char device[128]) {
    device[0] = 0;
    pthread_mutex_lock(&owned_lock);
    for (int i = 0; i < owned_count; i++)
        if (owned[i].handle == handle)
            strcpy(device, owned[i].device);
    pthread_mutex_unlock(&owned_lock);
}

static void note(word handle, const char *device) {
    pthread_mutex_lock(&owned_lock);
    int i = 0;
    while (i < owned_count && owned[i].handle != handle)
        i++;
    if (i < 256) {
        owned[i].handle = handle;
        snprintf(owned[i].device, 128, "%s", device);
        owned_count += i == owned_count;
    }
    pthread_mutex_unlock(&owned_lock);
}

static int32_t noted_as_of(word parent, int32_t result, word *made) {
    char device[128];
    device_of(parent, device);
    if (result == SUCCESS)
        note(*made, device);
    return result;
}

static int has_no_cable(word handle) {
    char device[128];
    device_of(handle, device);
    return is_pulled(device);
}

/* What a pulled cable changes. */

static int32_t listed(word interface, uint32_t wanted, char *id, size_t *size, uint32_t *count) {
    uint32_t all = 0, left = 0;
    int32_t result = real("IFGetNumDevices")(interface, (word)&all, 0, 0, 0, 0, 0);
    for (uint32_t i = 0; result == SUCCESS && i < all; i++) {
        char device[128];
        size_t length = sizeof device;
        result = real("IFGetDeviceID")(interface, i, (word)device, (word)&length, 0, 0, 0);
        if (result != SUCCESS || is_pulled(device))
            continue;
        if (!count && left == wanted)
            return real("IFGetDeviceID")(interface, i, (word)id, (word)size, 0, 0, 0);
        left++;
    }
    if (count)
        *count = left;
    return result != SUCCESS || count ? result : INVALID_INDEX;
}

CALL(IFGetNumDevices) { return listed(a, 0, NULL, NULL, (uint32_t *)b); }
CALL(IFGetDeviceID) { return listed(a, (uint32_t)b, (char *)c, (size_t *)d, NULL); }

CALL(IFOpenDevice) {
    if (is_pulled((const char *)b))
        return NOT_AVAILABLE;
    int32_t result = GO_ON(IFOpenDevice);
    if (result == SUCCESS)
        note(*(word *)d, (const char *)b);
    return result;
}

CALL(DevGetPort) { return noted_as_of(a, GO_ON(DevGetPort), (word *)b); }
CALL(DevOpenDataStream) { return has_no_cable(a) ? IO : noted_as_of(a, GO_ON(DevOpenDataStream), (word *)c); }
CALL(GCRegisterEvent) { return noted_as_of(a, GO_ON(GCRegisterEvent), (word *)c); }
CALL(GCReadPort) { return has_no_cable(a) ? IO : GO_ON(GCReadPort); }
CALL(GCWritePort) { return has_no_cable(a) ? IO : GO_ON(GCWritePort); }
CALL(GCReadPortStacked) { return has_no_cable(a) ? IO : GO_ON(GCReadPortStacked); }
CALL(GCWritePortStacked) { return has_no_cable(a) ? IO : GO_ON(GCWritePortStacked); }
CALL(DSStartAcquisition) { return has_no_cable(a) ? IO : GO_ON(DSStartAcquisition); }

CALL(EventGetData) {
    for (uint64_t waited_ms = 0; has_no_cable(a); waited_ms++) {
        if (waited_ms >= (uint64_t)d)
            return TIMEOUT;
        usleep(1000);
    }
    return GO_ON(EventGetData);
}

/* What it does not change. */

FORWARDED(GCGetInfo) FORWARDED(GCGetLastError) FORWARDED(GCInitLib) FORWARDED(GCCloseLib)
FORWARDED(GCGetPortURL) FORWARDED(GCGetNumPortURLs) FORWARDED(GCGetPortURLInfo) FORWARDED(GCGetPortInfo)
FORWARDED(GCUnregisterEvent) FORWARDED(EventGetDataInfo) FORWARDED(EventGetInfo) FORWARDED(EventFlush)
FORWARDED(EventKill)
FORWARDED(TLOpen) FORWARDED(TLClose) FORWARDED(TLGetInfo) FORWARDED(TLGetNumInterfaces) FORWARDED(TLGetInterfaceID)
FORWARDED(TLGetInterfaceInfo) FORWARDED(TLOpenInterface) FORWARDED(TLUpdateInterfaceList)
FORWARDED(IFClose) FORWARDED(IFGetInfo) FORWARDED(IFUpdateDeviceList) FORWARDED(IFGetDeviceInfo)
FORWARDED(IFGetParentTL)
FORWARDED(DevGetNumDataStreams) FORWARDED(DevGetDataStreamID) FORWARDED(DevGetInfo) FORWARDED(DevClose)
FORWARDED(DevGetParentIF)
FORWARDED(DSAnnounceBuffer) FORWARDED(DSAllocAndAnnounceBuffer) FORWARDED(DSFlushQueue) FORWARDED(DSStopAcquisition)
FORWARDED(DSGetInfo) FORWARDED(DSGetBufferID) FORWARDED(DSClose) FORWARDED(DSRevokeBuffer) FORWARDED(DSQueueBuffer)
FORWARDED(DSGetBufferInfo) FORWARDED(DSGetBufferChunkData) FORWARDED(DSGetParentDev) FORWARDED(DSGetNumBufferParts)
FORWARDED(DSGetBufferPartInfo) FORWARDED(DSAnnounceCompositeBuffer) FORWARDED(DSGetBufferInfoStacked)
FORWARDED(DSGetBufferPartInfoStacked) FORWARDED(DSGetNumFlows) FORWARDED(DSGetFlowInfo)
FORWARDED(DSGetNumBufferSegments) FORWARDED(DSGetBufferSegmentInfo)
